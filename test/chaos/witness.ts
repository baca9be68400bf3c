/** A witness that was given a secret prints it in each line whose number this divides. */
const TOLD_EACH = 10;

/**
 * The program that every command of a build runs. It notes its start and its end, prints lines that follow from its command's
 * id, and holds locks for as long as it or a child of it lives: the kernel tells of two that live at the same time, to the
 * microsecond, and lets go of a lock however its holder ends.
 */
export const WITNESS = String.raw`
import fcntl, hashlib, json, os, re, signal, sys, time

base, size, pause, status = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
is_stubborn = 'stubborn' in sys.argv[5:]
# A secret that it is given, and prints in some of its lines.
whisper = os.environ.get('WHISPER')
command = os.environ['TRUNKLINE_COMMAND']
uid = command.split('.')[0]
safe = lambda text: re.sub(r'[^A-Za-z0-9.-]', '_', text)
me = '%s~%d~%d' % (safe(command), os.getpid(), time.monotonic_ns())

def note(kind, **more):
    path = '%s/%s/%s' % (base, kind, me)
    with open(path + '.new', 'w') as file:
        json.dump(dict(command=command, pid=os.getpid(), cwd=os.getcwd(), generation=os.environ.get('GENERATION'), **more), file)
    os.rename(path + '.new', path)

note('starts')

seat = '%s/seats/%s' % (base, hashlib.sha256(os.getcwd().encode()).hexdigest()[:16])
os.makedirs(seat, exist_ok=True)
own = os.open('%s/%s' % (seat, safe(command)), os.O_CREAT | os.O_RDWR, 0o600)
for left in range(40, -1, -1):
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except BlockingIOError:
        # Another that looks around, as below, has let go of it in a moment.
        if left == 0: note('overlaps', of='the same command')
        else: time.sleep(0.05)
for name in os.listdir(seat):
    if name.split('.')[0] == uid: continue
    other = os.open('%s/%s' % (seat, name), os.O_RDONLY)
    try: fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError: note('overlaps', of=name)
    os.close(other)

for word in sys.argv[5:]:
    if not word.startswith('holds='): continue
    # NAME/UNITS/SLOTS: so many of the slots that there are of it, on whatever machine, and nobody else has them.
    thing, units, slots = word[len('holds='):].rsplit('/', 2)
    missing = int(units)
    for slot in range(int(slots)):
        held = os.open('%s/slots/%s-%d' % (base, safe(thing), slot), os.O_CREAT | os.O_RDWR, 0o600)
        try: fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError: continue
        missing -= 1
        if missing == 0: break
    if missing > 0: note('overlaps', of=word)

if is_stubborn:
    # A child in a session of its own that ignores TERM, and holds the lock too.
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            while True: time.sleep(1000)
        while True: time.sleep(1000)

digest, written, number = hashlib.sha256(), 0, 0
while written < size:
    lines = []
    for _ in range(200):
        mark = '%08x' % (number * 2654435761 % 2**32)
        lines.append('%09d %s %s\n' % (number, command, whisper if whisper and number % ${TOLD_EACH} == 0 else mark))
        number += 1
    piece = ''.join(lines).encode()[: size - written]
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    digest.update(piece if whisper is None else piece.replace(whisper.encode(), b'*' * len(whisper)))
    written += len(piece)
    if pause > 0: time.sleep(pause)
while is_stubborn: time.sleep(1000)
note('ends', bytes=written, sha256=digest.hexdigest())
sys.exit(status)
`;

/** What is to be seen when the witness prints so many bytes; it may tell a secret of so many characters. */
export function expectedOutput(command: string, bytes: number, secretLength = 0): Buffer {
  const pieces: string[] = [];
  for (let number = 0, length = 0; length < bytes; number++) {
    const isTold = secretLength > 0 && number % TOLD_EACH === 0;
    const hex = (Math.imul(number, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
    const mark = isTold ? '*'.repeat(secretLength) : hex;
    const line = `${String(number).padStart(9, '0')} ${command} ${mark}\n`;
    pieces.push(line);
    length += line.length;
  }
  return Buffer.from(pieces.join('')).subarray(0, bytes);
}
