import { readRemoteCall } from './client/remote-call.ts';
import { runCommand } from './run-command.ts';

await runCommand(async () => {
  const call = readRemoteCall(process.argv.slice(2), process.env);
  if (call) {
    const { callMaster } = await import('./client/call-master.ts');
    process.exitCode = await callMaster(call);
  } else {
    const { parseCommandLine } = await import('./command-line.ts');
    const { localProgram } = await import('./local-program.ts');
    await parseCommandLine(localProgram());
  }
});
