import { SSH_ALIAS, TELL_FAILURE } from './join-line.ts';
import type { JoinNames } from './join-line.ts';

export interface JoinScriptOptions extends JoinNames {
  /** Of the single-file worker, in hex. */
  readonly sha256: string;
  /** Fingerprints of the host keys to pin. */
  readonly hostKeys: readonly string[];
}

const HASH = `const c=require("crypto"),f=require("fs");process.stdout.write(c.createHash("sha256").update(f.readFileSync(process.argv[1])).digest("hex"))`;
const IS_NEW_ENOUGH = `const v=process.versions.node.split(".");process.exit(v[0]>20||v[0]==20&&v[1]>=19?0:1)`;

/**
 * What the line fetches and gives to `sh`, with three words: ssh's files, the worker's folder, the master's address. It brings
 * the single-file worker to the machine, which does the rest (`worker.mjs join`). Half of it does nothing: the last line calls.
 */
export function joinScript({ worker, id, sha256, hostKeys }: JoinScriptOptions): string {
  const pins = hostKeys.map((key) => `--host-key ${key}`).join(' ');
  return `# Trunkline: makes this machine the worker ${worker}. Invitation ${id}.
t=$1 w=$2 master=$3

fail() {
  echo "trunkline: $*" >&2
  exit 1
}

is_whole() {
  [ -f "$w/worker.mjs" ] && [ "$(node -e '${HASH}' "$w/worker.mjs")" = ${sha256} ]
}

fetch_worker() {
  ssh -nTF "$t/config" ${SSH_ALIAS} fetch worker >"$w/worker.mjs.$$.tmp" 2>"$t/said" || {
    rm -f "$w/worker.mjs.$$.tmp"
    ${TELL_FAILURE}
    exit 1
  }
  mv "$w/worker.mjs.$$.tmp" "$w/worker.mjs"
}

main() {
  command -v ssh >/dev/null || fail 'ssh is missing here: install the OpenSSH client'
  command -v node >/dev/null || fail 'node is missing here: install Node.js 20.19 or later, and paste the line again'
  command -v mkfifo >/dev/null || fail 'mkfifo is missing here: install coreutils or busybox'
  node -e '${IS_NEW_ENOUGH}' || fail "Node.js $(node --version) is too old: install 20.19 or later, and paste the line again"
  if [ -e "$w" ] && [ -n "$(ls -A "$w")" ] && [ ! -f "$w/join.sh" ] && [ ! -f "$w/worker.json" ]; then
    fail "the folder $w holds something else: say TRUNKLINE_DIR=FOLDER; export TRUNKLINE_DIR, and paste the line again"
  fi
  mkdir -p "$w" && chmod 700 "$w" || fail "the folder $w cannot be made"
  cp "$t/script" "$w/join.sh" || fail "nothing can be written to $w"
  is_whole || fetch_worker
  is_whole || {
    rm -f "$w/join.sh"
    fail 'the worker came damaged, or the master has a newer one by now: paste the line again'
  }
  node "$w/worker.mjs" join "$w" --name ${worker} --master "$master" ${pins} --ssh-config "$t/config"
}

main
`;
}
