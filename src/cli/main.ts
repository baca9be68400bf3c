import { readRemoteCall } from './client/remote-call.ts';
import { runCommand } from './run-command.ts';

await runCommand(async () => {
  const args = process.argv.slice(2);
  // Asked by the shells' scripts of `completion`.
  if (args[0] === '__complete') {
    const { candidates, wordsOf } = await import('./completion/candidates.ts');
    const words = args[1] === '--line' ? wordsOf(args[2] ?? '') : args.slice(2);
    process.stdout.write((await candidates(words, process.env)).map((word) => `${word}\n`).join(''));
    return;
  }
  const call = readRemoteCall(args, process.env);
  if (call) {
    const { callMaster } = await import('./client/call-master.ts');
    process.exitCode = await callMaster(call);
  } else {
    const { parseCommandLine } = await import('./command-line.ts');
    const { localProgram } = await import('./local-program.ts');
    const { refuseVerb } = await import('./client/refuse-verb.ts');
    await refuseVerb(args);
    await parseCommandLine(localProgram());
  }
});
