import { createServer } from 'node:net';

/** Sends back what it is sent; says its port; ends with its standard input. */
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address) process.stdout.write(String(address.port));
});
process.stdin.on('end', () => process.exit());
process.stdin.resume();
