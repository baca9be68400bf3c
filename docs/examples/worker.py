#!/usr/bin/env python3
"""
A Trunkline worker in one file: Python 3.9 or newer, its standard library, the stock `ssh` program, nothing else.
It is an example to port to other languages; § names the section of docs/protocol.md that asks for a thing.

    worker.py init DIR --master HOST[:PORT] --name NAME --host-key 'ssh-ed25519 AAAA…'     makes DIR/key, DIR/known_hosts
    worker.py DIR --master HOST[:PORT] --name NAME [--channels]                            runs the worker

Three kinds of processes: this daemon, one `ssh` (with --channels one a session, over one connection), and for each command
a keeper, `worker.py --keep FOLDER`, which outlives the daemon. All they know is in files, all they tell each other too:

    DIR/state/bell                    a named pipe: a keeper rings when there is more to send
    DIR/state/sessions/ID             {fence, directory}
    DIR/state/commands/ID/order       {session, argv, …}; the folder itself, made by mkdir, is the claim on the command
    DIR/state/commands/ID/fence       the highest fence seen of it
    DIR/state/commands/ID/lock        locked as long as its keeper lives
    DIR/state/commands/ID/began       made before the process is started: nobody starts it after that
    DIR/state/commands/ID/out.N       output, a segment each; `tail` and `count` beside them
    DIR/state/commands/ID/end         {why}: the keeper is to end it
    DIR/state/commands/ID/bell        the daemon rings when it has put that there, or has made room
    DIR/state/commands/ID/outcome     how it ended, put there by rename

It has no capabilities: put and get are refused, and leases are not kept. A process that leaves its group is not ended.
Tried on Linux; elsewhere os.waitid may be missing, and with /proc the care for what a dead keeper has left.
"""
import argparse, collections, fcntl, gzip, json, os, random, re, select, shutil, signal, socket, struct, subprocess, sys, time, uuid

# §14
BEFORE_WELCOME_BYTES, CONTROL_FRAME_BYTES, PAYLOAD_BYTES, HEAD_BYTES = 4096, 262144, 32000, 768
RAW_BELOW_BYTES, QUEUE_BYTES, TAIL_BYTES, MAX_DEPTH, MAX_ITEMS = 1024, 262144, 16 * 1024 * 1024, 8, 32768
# Of this worker: a chunk may have 256 KiB, smaller ones share the line better; an inventory's frame may hold 100 items.
CHUNK_BYTES, INVENTORY_PAGE = 65536, 25
# Output that the master has not stored takes so many segments at most; then the keeper reads no more, and the process waits.
SEGMENT_BYTES, MOST_SEGMENTS = 1024 * 1024, 64
TICK_S, GATHER_S, HELD_S, LEAVERS_S, GREETING_S, KILL_AFTER_MS = 1.0, 0.02, 2.0, 75.0, 30.0, 10000
FIRST_BACKOFF_S, MOST_BACKOFF_S = 0.5, 30.0
NEEDS_PERSON = {"version", "wrong-name", "unknown-worker", "duplicate-worker", "revoked"}
OURS_TO_SAY = {"hello", "inventory", "lease.held", "session.opened", "session.closed", "session.failed", "command.started",
               "command.finished", "log.append", "log.hole", "file.pull", "file.push", "file.end"}
ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR")


class Broken(Exception):
    """A rule of the protocol was broken by the master: a goodbye with this code ends the link (§13)."""
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code

class Lost(Exception):
    """The line is gone, or the master said goodbye."""
    def __init__(self, message, code="", retry_after_ms=None):
        super().__init__(message)
        self.code, self.retry_after_ms = code, retry_after_ms

class Refused(Exception):
    """It cannot be done, and nothing was done."""


# ---- MessagePack, as much as §3 asks for

def pack(value):
    if value is None or value is True or value is False:
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else struct.pack(">Bq", 0xd3, value)
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")
        return struct.pack(">BI", 0xdb, len(text)) + text
    if isinstance(value, (bytes, bytearray)):
        return struct.pack(">BI", 0xc6, len(value)) + value
    if isinstance(value, list):
        return struct.pack(">BI", 0xdd, len(value)) + b"".join(map(pack, value))
    pairs = [pack(key) + pack(entry) for key, entry in value.items() if entry is not None]
    return struct.pack(">BI", 0xdf, len(pairs)) + b"".join(pairs)

class Unpacker:
    """Reads one value. What is cut off, followed by more, too deep, too many or of a kind that §3 does not allow is malformed."""
    NUMBERS = {0xca: ">f", 0xcb: ">d", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
    LENGTHS = {0xc4: ("bin", ">B"), 0xc5: ("bin", ">H"), 0xc6: ("bin", ">I"), 0xd9: ("text", ">B"), 0xda: ("text", ">H"),
               0xdb: ("text", ">I"), 0xdc: ("list", ">H"), 0xdd: ("list", ">I"), 0xde: ("map", ">H"), 0xdf: ("map", ">I")}

    def __init__(self, data):
        self.data, self.at, self.items = data, 0, 0

    def whole(self):
        value = self.value(0)
        if self.at != len(self.data):
            raise Broken("malformed", "something follows the frame's array")
        return value

    def take(self, count):
        if self.at + count > len(self.data):
            raise Broken("malformed", "a frame is cut off")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self, depth):
        self.items += 1
        tag = self.take(1)[0]
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise Broken("malformed", "a frame is too deep, or has too many values")
        if tag < 0x80 or tag >= 0xe0:
            return tag if tag < 0x80 else tag - 256
        if tag in (0xc0, 0xc2, 0xc3):
            return {0xc0: None, 0xc2: False, 0xc3: True}[tag]
        if tag in self.NUMBERS:
            number = self.number(self.NUMBERS[tag])
            if abs(number) >= 2 ** 53:
                raise Broken("malformed", "an integer is beyond 2^53-1")
            return int(number) if isinstance(number, float) and number.is_integer() else number
        if tag < 0xc0:
            kind, count = ("map", tag & 15) if tag < 0x90 else ("list", tag & 15) if tag < 0xa0 else ("text", tag & 31)
        elif tag in self.LENGTHS:
            kind, form = self.LENGTHS[tag]
            count = self.number(form)
        else:
            raise Broken("malformed", "a value of kind 0x%x" % tag)
        if kind == "bin":
            return bytes(self.take(count))
        if kind == "text":
            try:
                return bytes(self.take(count)).decode("utf-8")
            except UnicodeDecodeError:
                raise Broken("malformed", "a text is not UTF-8")
        if kind == "list":
            return [self.value(depth + 1) for _ in range(count)]
        made = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str) or key == "__proto__" or key in made:
                raise Broken("malformed", "a key of a map is not text, or there twice")
            made[key] = self.value(depth + 1)
        return made

def frame(kind, session, fields):
    body = pack([kind, session, fields])
    return struct.pack(">I", len(body)) + body


# ---- Fields: what is missing or of the wrong kind is bad-field

def a_number(fields, key, least=0):
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Broken("bad-field", "%s is not an integer from %d on" % (key, least))
    return value

def a_text(fields, key):
    if not isinstance(fields.get(key), str):
        raise Broken("bad-field", "%s is not text" % key)
    return fields[key]

def check_spec(spec):
    """Before anything of it is on disk: the keeper could tell nobody."""
    a_text(spec, "kind")
    for key in ("silenceMs", "totalMs", "killAfterMs"):
        if spec.get(key) is not None:
            a_number(spec, key)
    words = [spec.get("shell"), spec.get("cwd"), spec.get("path")]
    words += (spec.get("argv") or []) + list((spec.get("env") or {}).values())
    if not all(word is None or isinstance(word, str) for word in words) or not isinstance(spec.get("stdin") or b"", bytes):
        raise Broken("bad-field", "spec has something else than text where text is due")

def an_id(text):
    """§4: ids become names of files, so nothing else than this may be one."""
    if not isinstance(text, str) or len(text) > 200 or not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise Broken("bad-field", "%r is no id" % (text,))
    return text


# ---- Files

def load(path, otherwise=None):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return otherwise

def save(path, value):
    """Durable when it returns, and whole at any moment: written beside, then renamed."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".new", path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)

def inside(folder, path):
    """The path below the folder, symbolic links followed; refused when it leaves it (§7, §8)."""
    root = os.path.realpath(folder)
    place = os.path.realpath(os.path.join(root, path))
    if place != root and not place.startswith(root + os.sep):
        raise Refused("%s leaves its folder" % path)
    return place

class Bell:
    """A named pipe that ends the select() of its listener; however often it was rung, it is heard once."""
    def __init__(self, path):
        if not os.path.exists(path):
            os.mkfifo(path)
        self.file = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fileno(self):
        return self.file

    def wait(self, seconds, *others):
        """Which of the others can be read; all that was to be heard is heard then."""
        ready = select.select([self, *others], [], [], seconds)[0]
        if self in ready:
            os.read(self.file, 65536)
        return ready

    @staticmethod
    def ring(path):
        try:
            file = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return  # nobody listens: who comes later looks by himself
        try:
            os.write(file, b"!")
        except BlockingIOError:
            pass  # it rings already
        os.close(file)

def now_ms():
    return int(time.time() * 1000)

def boot_id():
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return "boot-unknown"  # elsewhere: whatever names one boot


# ---- Output on disk (§9): the head in segments, of a log beyond its limit the last bytes in a ring

class Output:
    def __init__(self, folder, limit):
        self.folder = folder
        self.tail = 0 if limit is None else min(limit // 2, TAIL_BYTES)
        self.head = sys.maxsize if limit is None else limit - self.tail

    def end(self):
        try:
            with open(self.folder + "/count", "rb") as file:
                return struct.unpack(">Q", file.read(8))[0]
        except FileNotFoundError:
            return 0

    def segments(self):
        return sorted(int(name[4:]) for name in os.listdir(self.folder) if name.startswith("out."))

    def start(self):
        """The first byte that is still here."""
        segments, head_end = self.segments(), min(self.end(), self.head)
        return segments[0] * SEGMENT_BYTES if segments else head_end - head_end % SEGMENT_BYTES

    def write(self, piece):
        end = self.end()
        while piece:
            if end < self.head:
                name, at = "/out.%d" % (end // SEGMENT_BYTES), end % SEGMENT_BYTES
                room = min(SEGMENT_BYTES - at, self.head - end)
            else:
                name, at = "/tail", (end - self.head) % self.tail if self.tail else 0
                room = self.tail - at if self.tail else len(piece)
            if end < self.head or self.tail:
                file = os.open(self.folder + name, os.O_WRONLY | os.O_CREAT, 0o600)
                os.pwrite(file, piece[:room], at)
                os.close(file)
            end += min(room, len(piece))
            piece = piece[room:]
        # Last: what it counts is there.
        file = os.open(self.folder + "/count", os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(file, struct.pack(">Q", end), 0)
        os.close(file)

    def read(self, offset, most):
        if offset < self.head:
            name, at, room = "/out.%d" % (offset // SEGMENT_BYTES), offset % SEGMENT_BYTES, SEGMENT_BYTES - offset % SEGMENT_BYTES
        else:
            at = (offset - self.head) % self.tail
            name, room = "/tail", self.tail - at
        with open(self.folder + name, "rb", buffering=0) as file:
            file.seek(at)
            return file.read(min(most, room))

    def drop_below(self, offset):
        for segment in self.segments():
            if (segment + 1) * SEGMENT_BYTES <= min(offset, self.end()):
                os.unlink(self.folder + "/out.%d" % segment)
                Bell.ring(self.folder + "/bell")

    def next(self, at, has_ended):
        """What is to be sent at an offset: ("hole", fields), ("data", up to where), or nothing now."""
        start, end = self.start(), self.end()
        if at < start:
            return "hole", {"offset": at, "length": start - at, "reason": "lost"}
        if at < self.head:
            return ("data", min(end, self.head)) if at < end else None
        tail_start = max(self.head, end - self.tail)
        if at == self.head and tail_start - self.head > 1:
            return "hole", {"offset": at, "length": 1, "reason": "limit", "keepsBytes": self.tail}
        if not has_ended or at >= end:
            return None
        if at < tail_start:
            return "hole", {"offset": at, "length": tail_start - at, "reason": "limit", "leftOutBytes": tail_start - self.head}
        return "data", end


# ---- The keeper of one command: no network, no session, no master (§8)

def keep(folder):
    order, output, started_ms = load(folder + "/order"), None, now_ms()
    def finish(**outcome):
        outcome.update(startedAtMs=started_ms, endedAtMs=now_ms())
        save(folder + "/outcome", {"outputEnd": output.end(), "outcome": outcome})
        Bell.ring(daemon_bell)
    daemon_bell = os.path.dirname(os.path.dirname(folder)) + "/bell"
    output = Output(folder, order["logMaxBytes"])
    os.mkdir(folder + "/began")  # fails when somebody was here before: never twice
    bell = Bell(folder + "/bell")
    signal.signal(signal.SIGCHLD, lambda *_: Bell.ring(folder + "/bell"))
    reader, writer = os.pipe()
    try:
        stdin = open(folder + "/stdin", "rb") if os.path.exists(folder + "/stdin") else subprocess.DEVNULL
        process = subprocess.Popen(order["argv"], cwd=order["cwd"], env=order["env"], stdin=stdin, stdout=writer,
                                   stderr=subprocess.STDOUT, start_new_session=True)
    except (OSError, ValueError) as error:
        return finish(status="refused", message=("it cannot be started: %s" % error)[:1000])
    os.close(writer)
    save(folder + "/process", {"pid": process.pid, "bootId": boot_id()})

    def end_all(number):
        # The leader is not waited for before the end, so that the group's number stays its own.
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # nobody is left (elsewhere EPERM may tell of a group of zombies)

    begin = heard = time.monotonic()
    total_s, silence_s = (float("inf") if order[key] is None else order[key] / 1000 for key in ("totalMs", "silenceMs"))
    why, kill_at, over_at, at_eof, cut = None, None, None, False, {}
    while True:
        is_full = len(output.segments()) > MOST_SEGMENTS  # the process waits in write() until the master has stored some
        until = min(begin + total_s, float("inf") if is_full else heard + silence_s) if why is None else kill_at
        until = until if over_at is None or is_full else min(until, over_at)
        others = [] if at_eof or is_full else [reader]
        ready = bell.wait(None if until == float("inf") else max(0, until - time.monotonic()), *others)
        now = time.monotonic()
        if reader in ready:
            piece = os.read(reader, 65536)
            at_eof = not piece
            output.write(piece)
            Bell.ring(daemon_bell)
        if reader in ready or is_full:
            heard = now
        if over_at is None and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            over_at = now + HELD_S
        if over_at is not None and at_eof:
            break
        if over_at is not None and now >= over_at and not is_full:
            mark = b"\n[worker: other processes kept the output open after the command had ended; it was cut here]\n"
            output.write(mark)
            cut = {"cut": "held", "markBytes": len(mark)}
            break
        if why is None:
            if now >= begin + total_s:
                why = "total"
            elif now >= heard + silence_s:
                why = "silence"
            elif os.path.exists(folder + "/end"):
                why = load(folder + "/end")["why"]
            if why is not None:
                end_all(signal.SIGTERM)
                kill_at = now + order["killAfterMs"] / 1000
        elif now >= kill_at:
            end_all(signal.SIGKILL)
            kill_at = now + TICK_S  # what it has forked meanwhile
    end_all(signal.SIGKILL)
    status = process.wait()
    ended = {"ended": why} if why else {}
    if status < 0:
        finish(status="signalled", signal=signal.Signals(-status).name, **ended, **cut)
    else:
        finish(status="exited", exitCode=status, **ended, **cut)


# ---- Commands, as the daemon sees them

class Command:
    def __init__(self, folder):
        self.folder, self.id = folder, os.path.basename(folder)
        self.order = load(folder + "/order")
        self.session, self.kind = self.order["session"], self.order["kind"]
        self.fence = load(folder + "/fence", self.order["fence"])
        self.output = Output(folder, self.order["logMaxBytes"])
        self.is_leaving = os.path.exists(folder + "/forgotten")
        self.ended, self.look_at = load(folder + "/outcome"), 0.0

    def raise_fence(self, fence):
        if fence > self.fence:
            save(self.folder + "/fence", fence)
            self.fence = fence

    def finish(self, **outcome):
        outcome.update(startedAtMs=self.order["startedAtMs"], endedAtMs=now_ms())
        save(self.folder + "/outcome", {"outputEnd": self.output.end(), "outcome": outcome})
        self.ended = load(self.folder + "/outcome")

    def start_keeper(self):
        """The keeper inherits the lock, so that it is locked from before its first breath to its last."""
        lock = self.lock()
        keeper = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--keep", self.folder], pass_fds=[lock],
                                  start_new_session=True, stdin=subprocess.DEVNULL)
        os.close(lock)
        return keeper

    def lock(self):
        """None while a keeper lives."""
        file = os.open(self.folder + "/lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            os.close(file)
            return None

    def look(self):
        """Sees whether it has ended; a keeper that died has left no outcome."""
        self.ended = self.ended or load(self.folder + "/outcome")
        if self.ended or time.monotonic() < self.look_at:
            return
        self.look_at = time.monotonic() + 0.5
        lock = self.lock()
        if lock is None:
            return
        os.close(lock)
        self.ended = load(self.folder + "/outcome")  # left a moment ago?
        if self.ended:
            return
        if self.kind != "run":
            return self.finish(status="unknown", message="the worker was killed while it changed the folder")
        if not os.path.exists(self.folder + "/began"):
            self.start_keeper()  # killed between the claim and the start: nothing ran yet
            return
        self.kill_orphans()
        mark = b"\n[worker: the keeper of this command was lost; its output may end too early]\n"
        self.output.write(mark)
        lost_by = "keeper" if self.order["bootId"] == boot_id() else "reboot"
        self.finish(status="unknown", cut="lost", markBytes=len(mark), facts={"lostBy": lost_by})

    def kill_orphans(self):
        pid = self.pid()
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:  # is it ours still? Numbers of processes are used again
                if b"TRUNKLINE_COMMAND=" + self.id.encode() in file.read().split(b"\0"):
                    os.killpg(pid, signal.SIGKILL)
        except OSError:
            pass

    def pid(self):
        process = load(self.folder + "/process", {"pid": 0, "bootId": ""})
        return process["pid"] if process["bootId"] == boot_id() else 0

    def end(self, why):
        if not self.ended and not os.path.exists(self.folder + "/end"):
            save(self.folder + "/end", {"why": why})
            Bell.ring(self.folder + "/bell")

    def state(self):
        """For the inventory (§11)."""
        state = {"command": self.id, "session": self.session, "fence": self.fence, "outputStart": self.output.start()}
        if self.ended:
            return dict(state, state="finished", outputEnd=self.ended["outputEnd"], outcome=self.ended["outcome"])
        return dict(state, state="running", outputEnd=self.output.end())


class Stream:
    """What goes over one link of one command."""
    def __init__(self, at):
        self.at = self.acked = at
        self.short_of = (0, 0)  # (at, size): the chunk there was too large for the credit
        self.is_end_told = False


# ---- One SSH channel: a process of stock ssh (§2)

class Pipe:
    def __init__(self, args, folder):
        self.process = subprocess.Popen(args, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.reader, self.writer = self.process.stdout.fileno(), self.process.stdin.fileno()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)
        self.session, self.inbox, self.piece = "", bytearray(), b""
        self.urgent, self.later = collections.deque(), collections.deque()

    def queued(self):
        return len(self.piece) + sum(map(len, self.later))

    def write(self):
        """A frame at a time: control goes before log (§9), but never into the middle of a frame."""
        while self.piece or self.urgent or self.later:
            self.piece = self.piece or (self.urgent or self.later).popleft()
            try:
                self.piece = self.piece[os.write(self.writer, self.piece):]
            except BlockingIOError:
                return
            except BrokenPipeError:
                self.piece = b""  # the reading end tells of it
                self.urgent.clear(), self.later.clear()

    def read(self):
        """False at the end."""
        try:
            piece = os.read(self.reader, 65536)
        except BlockingIOError:
            return True
        self.inbox += piece
        return len(piece) > 0

    def frames(self, most):
        while len(self.inbox) >= 4:
            length = struct.unpack(">I", self.inbox[:4])[0]
            if length > most():
                raise Broken("frame-too-long", "a frame of %d bytes is announced" % length)
            if len(self.inbox) < 4 + length:
                return
            body = bytes(self.inbox[4:4 + length])
            del self.inbox[:4 + length]
            yield body

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()


# ---- The daemon

class Worker:
    def __init__(self, options):
        self.options, self.dir = options, os.path.abspath(options.dir)
        self.work, self.state = self.dir + "/work", self.dir + "/state"
        for folder in (self.work, self.state + "/sessions", self.state + "/commands"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.lock = open(self.state + "/lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("a worker runs in %s already: stop it first" % self.dir)
        if load(self.state + "/install") is None:
            save(self.state + "/install", uuid.uuid4().hex)
        self.process_id, self.is_stopping, self.keepers = uuid.uuid4().hex, False, []
        self.sessions = {name: load(self.state + "/sessions/" + name) for name in os.listdir(self.state + "/sessions")
                         if not name.endswith(".new")}
        self.commands = {}
        for name in os.listdir(self.state + "/commands"):
            folder = self.state + "/commands/" + name
            if os.path.exists(folder + "/order"):
                self.commands[name] = Command(folder)
            else:
                shutil.rmtree(folder)  # killed while it was claimed or dropped: nothing ran, or all is over
        self.bell = Bell(self.state + "/bell")
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)

    def stop(self, *_):
        self.is_stopping = True
        Bell.ring(self.state + "/bell")

    def run(self):
        """§5: connects for ever; the bound of the pause doubles from 0.5 to 30 s, and begins anew after a link that was good."""
        print("worker %s runs" % self.options.name, flush=True)
        bound = FIRST_BACKOFF_S
        while not self.is_stopping:
            link, retry_after_ms, code = Link(self), None, ""
            try:
                link.serve()
            except Lost as lost:
                print("worker: %s" % lost, file=sys.stderr, flush=True)
                retry_after_ms, code = lost.retry_after_ms, lost.code
            finally:
                link.close()
            if code == "revoked":
                for command in list(self.commands.values()):
                    self.forget(command)
                for session in list(self.sessions):
                    self.drop_session(session)
            bound = FIRST_BACKOFF_S if link.is_answered else bound
            pause = random.uniform(0, bound)
            if code in NEEDS_PERSON:
                pause = random.uniform(MOST_BACKOFF_S / 2, MOST_BACKOFF_S)
            elif retry_after_ms is not None:
                pause = random.uniform(0.5, 1) * retry_after_ms / 1000
            bound = min(bound * 2, MOST_BACKOFF_S)
            until = time.monotonic() + pause
            while time.monotonic() < until and not self.is_stopping:
                self.bell.wait(min(TICK_S, max(0, until - time.monotonic())))
                self.look()

    def look(self):
        """What the keepers did meanwhile."""
        self.keepers = [keeper for keeper in self.keepers if keeper.poll() is None]
        for command in list(self.commands.values()):
            command.look()
            if command.is_leaving and command.ended:
                self.drop(command)

    def forget(self, command):
        if command.ended:
            return self.drop(command)
        command.is_leaving = True
        save(command.folder + "/forgotten", True)
        command.end("forgotten")

    def drop(self, command):
        del self.commands[command.id]
        os.unlink(command.folder + "/order")  # from here on it is no command to the next daemon
        shutil.rmtree(command.folder)

    def put_session(self, session, fence, directory):
        self.sessions[session] = {"session": session, "fence": fence, "directory": directory}
        save(self.state + "/sessions/" + session, self.sessions[session])

    def drop_session(self, session):
        if self.sessions.pop(session, None):
            os.unlink(self.state + "/sessions/" + session)

    def folder_of(self, session):
        folder = inside(self.work, self.sessions[session]["directory"])
        os.makedirs(folder, exist_ok=True)
        return folder

    def claim(self, session, fields):
        """§8: first the claim on disk, then the deed. It is known from here on, and never done a second time."""
        spec, kind = fields["spec"], fields["spec"]["kind"]
        command_id = fields["command"]
        folder = self.state + "/commands/" + command_id
        order = {"session": session, "fence": fields["fence"], "kind": kind, "startedAtMs": now_ms(), "bootId": boot_id(),
                 "logMaxBytes": fields.get("logMaxBytes"), "silenceMs": spec.get("silenceMs"), "totalMs": spec.get("totalMs"),
                 "killAfterMs": KILL_AFTER_MS if spec.get("killAfterMs") is None else spec["killAfterMs"]}
        refusal = None
        try:
            place = self.folder_of(session)
            if kind == "run":
                order["argv"] = spec.get("argv") or (["/bin/sh", "-c", spec["shell"]] if spec.get("shell") is not None else [])
                order["cwd"] = inside(place, spec.get("cwd") or ".")
                own = {name: value for name, value in os.environ.items() if name in ENVIRONMENT or name.startswith("LC_")}
                order["env"] = {**own, **(spec.get("env") or {}), "TRUNKLINE_COMMAND": command_id}
                if not order["argv"]:
                    raise Refused("the command has neither argv nor shell")
            elif kind not in ("mkdir", "remove"):
                raise Refused("this worker cannot do %s" % kind)
        except (Refused, OSError, ValueError) as error:
            refusal = str(error)[:1000]
        os.mkdir(folder, 0o700)
        if spec.get("stdin") is not None:
            with open(folder + "/stdin", "wb") as file:
                file.write(spec["stdin"])
        save(folder + "/order", order)
        command = self.commands[command_id] = Command(folder)
        if refusal is not None:
            command.finish(status="refused", message=refusal)
        elif kind == "run":
            self.keepers.append(command.start_keeper())
        else:
            self.change_folder(command, place, kind, spec.get("path") or "")
        return command

    def change_folder(self, command, place, kind, path):
        try:
            if kind == "mkdir":
                os.makedirs(inside(place, path), exist_ok=True)
            else:
                # A symbolic link is removed itself, not what it points to.
                target = os.path.join(inside(place, os.path.dirname(path)), os.path.basename(path))
                if os.path.basename(path) in ("", ".", ".."):
                    raise Refused("the session's own folder is not removed")
                if os.path.isdir(target) and not os.path.islink(target):
                    shutil.rmtree(target)
                elif os.path.lexists(target):
                    os.unlink(target)
        except (Refused, OSError, ValueError) as error:
            return command.finish(status="refused", message=str(error)[:1000])
        command.finish(status="done")


class Link:
    """One connection (§5): greeting, inventory, then orders in and output out, until it is lost."""

    def __init__(self, worker):
        self.worker, self.options = worker, worker.options
        self.is_mux = not self.options.channels
        self.control = Pipe(self.ssh("trunkline-mux" if self.is_mux else "trunkline-control"), worker.dir)
        self.channels = []           # trunkline-session, bound ones and spare ones (§7)
        self.pipes = {}              # session → the pipe that its frames go by
        self.open = set()            # sessions that the master opened on this link
        self.streams = {}            # command → Stream
        self.continued = {}          # command → offset, until its session is open
        self.waiting = []            # starts that wait for what was forgotten (§8): (until, session, fields)
        self.granted, self.spent = {}, collections.Counter()  # credit by session, '' is the whole worker's (§9)
        self.is_welcome = self.is_answered = False
        self.heartbeat_s, self.dead_s, self.next_ping, self.pings = 15.0, 45.0, 0.0, 0
        self.silent_s, self.looked, self.rung = 0.0, time.monotonic(), 0.0
        self.turn = self.wanted = 0

    def ssh(self, subsystem):
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "ServerAliveInterval=15",
                   "ServerAliveCountMax=3", "ConnectTimeout=20", "UserKnownHostsFile=known_hosts", "IdentityFile=key"]
        args = ["ssh", "-F", "none", "-T", "-s"] + [word for option in options for word in ("-o", option)]
        if not self.is_mux:
            # The first process holds the connection (-M); the others find it by its socket.
            args += ["-S", "ssh.socket"] + (["-M"] if subsystem == "trunkline-control" else [])
            if subsystem == "trunkline-control" and os.path.exists(self.worker.dir + "/ssh.socket"):
                os.unlink(self.worker.dir + "/ssh.socket")
        host, _, port = self.options.master.partition(":")
        return args + ["-p", port or "22", "%s@%s" % (self.options.name, host), subsystem]

    def close(self):
        for pipe in [self.control] + self.channels:
            pipe.close()

    # -- sending

    def send(self, kind, session, behind_log=False, **fields):
        pipe = self.pipes.get(session, self.control if self.is_mux else None) if session else self.control
        if pipe is None:
            return  # its channel is gone: the next inventory tells all
        (pipe.later if behind_log else pipe.urgent).append(frame(kind, session, fields))

    def room(self, session):
        """§9: both credits hold, that of the session and that of the worker."""
        return min(self.granted.get(account, 0) - self.spent[account] for account in (session, ""))

    def send_log(self, kind, session, frames):
        """All of them or none: a chunk is begun only when the credit covers all its frames (§9). Answers what is missing."""
        size = sum(map(len, frames))
        if size > self.room(session):
            return size
        for account in (session, ""):
            self.spent[account] += size
        self.pipes[session].later.extend(frames)
        return 0

    def hello(self):
        """§5. The whole frame has to fit into 4 KiB."""
        self.send("hello", "", protocols=[1], implementation="worker.py", version="1", worker=self.options.name,
                  installId=load(self.worker.state + "/install"), bootId=boot_id(), processId=self.worker.process_id,
                  capabilities=[], host=socket.gethostname()[:200], facts={"os": sys.platform, "folder": self.worker.dir[-200:]})

    def inventory(self):
        """§11: all sessions and commands, in pages."""
        self.worker.look()
        sessions = list(self.worker.sessions.values())
        commands = [command.state() for command in self.worker.commands.values()]
        while True:
            is_last = max(len(sessions), len(commands)) <= INVENTORY_PAGE
            self.send("inventory", "", sessions=sessions[:INVENTORY_PAGE], commands=commands[:INVENTORY_PAGE], last=is_last)
            sessions, commands = sessions[INVENTORY_PAGE:], commands[INVENTORY_PAGE:]
            if is_last:
                return

    # -- the loop

    def serve(self):
        self.hello()
        give_up = time.monotonic() + GREETING_S
        try:
            while True:
                self.exchange()
                if not self.is_welcome:
                    if time.monotonic() > give_up:
                        raise Lost("the master did not answer the hello")
                    continue
                self.worker.look()
                self.start_waiting()
                self.send_output()
                self.live()
                if self.worker.is_stopping:
                    raise Broken("stopping", "the worker stops; its commands go on")
        except Broken as broken:
            retry = {"retryAfterMs": 0} if broken.code == "stopping" else {}
            self.send("goodbye", "", code=broken.code, message=str(broken)[:1000], **retry)
            until = time.monotonic() + 2
            while (self.control.urgent or self.control.piece) and time.monotonic() < until:
                select.select([], [self.control.writer], [], TICK_S)
                self.control.write()
            self.control.process.stdin.close()
            try:
                self.control.process.wait(2)  # the goodbye is out when ssh has ended
            except subprocess.TimeoutExpired:
                pass
            raise Lost("%s: %s" % (broken.code, broken))

    def exchange(self):
        """Waits until something can be read or written, the bell rings or a ping is due; then does what the master says."""
        pipes = [self.control] + self.channels
        wants_write = [pipe.writer for pipe in pipes if pipe.piece or pipe.urgent or pipe.later]
        # A little output waits a moment for more: else each line that a command prints would be a chunk.
        gathers_s = self.rung + GATHER_S - time.monotonic()
        wait_s = gathers_s if gathers_s > 0 else TICK_S
        if self.is_welcome:
            wait_s = max(0, min(wait_s, self.next_ping - time.monotonic()))
        listens = [pipe.reader for pipe in pipes] + ([] if gathers_s > 0 else [self.worker.bell])
        ready, writable, _ = select.select(listens, wants_write, [], wait_s)
        if self.worker.bell in ready:
            self.worker.bell.wait(0)
            self.rung = time.monotonic()
        for pipe in pipes:
            if pipe.writer in writable:
                pipe.write()
        now = time.monotonic()
        # A second at most: time in which this program itself stood still does not count (§6).
        self.silent_s += min(now - self.looked, 1.0)
        self.looked = now
        for pipe in pipes:
            if pipe.reader not in ready:
                continue
            self.silent_s = 0.0
            is_open = pipe.read()
            for body in pipe.frames(lambda: CONTROL_FRAME_BYTES if self.is_welcome else BEFORE_WELCOME_BYTES):
                self.on_frame(pipe, body)
            if not is_open and pipe is self.control:
                raise Lost("the line is lost")
            if not is_open:
                self.channel_gone(pipe)
        if self.silent_s > self.dead_s:
            raise Lost("nothing came for %.1f s" % self.silent_s)

    def live(self):
        """§6"""
        now = time.monotonic()
        if now < self.next_ping:
            return
        self.next_ping = now + self.heartbeat_s * random.uniform(0.8, 1)
        self.pings += 1
        free = shutil.disk_usage(self.worker.work).free
        self.send("ping", "", n=self.pings, load="%.2f" % os.getloadavg()[0], freeBytes=free)

    def on_frame(self, pipe, body):
        parts = Unpacker(body).whole()
        if not isinstance(parts, list) or len(parts) < 3 or not isinstance(parts[0], str) or not isinstance(parts[2], dict):
            raise Broken("malformed", "a frame is not an array of type, session and fields")
        kind, session, fields = parts[:3]
        if kind in OURS_TO_SAY:
            raise Broken("wrong-direction", "%s is the worker's to say" % kind)
        handler = getattr(self, "on_" + kind.replace(".", "_"), None)
        if handler is None:
            return  # §3: a frame of an unknown type is ignored as a whole
        if not self.is_welcome and kind not in ("welcome", "goodbye"):
            raise Broken("unexpected", "%s before the welcome" % kind)
        if session:
            an_id(session)
            self.check_channel(pipe, kind, session)
            if session not in self.open and kind not in ("session.open", "command.start", "credit"):
                return  # §7: it may have been under way when the session was closed
        try:
            handler(session, fields)
        except (KeyError, TypeError, AttributeError) as error:  # a field is not what this program takes it for
            raise Broken("bad-field", "%s: %r" % (kind, error))

    def check_channel(self, pipe, kind, session):
        """§7: a channel belongs to the session that was opened on it."""
        if self.is_mux:
            self.pipes[session] = pipe
        elif pipe.session == "" and kind == "session.open":
            pipe.session = session
            self.pipes[session] = pipe
        elif pipe.session != session:
            raise Broken("wrong-session", "%s of session %s on the channel of %r" % (kind, session, pipe.session))

    def channel_gone(self, pipe):
        self.channels.remove(pipe)
        pipe.close()
        if self.pipes.get(pipe.session) is pipe:
            del self.pipes[pipe.session]
            self.close_streams(pipe.session)
        self.open_channels()  # that it is wanted may have been said before its end was seen here

    def close_streams(self, session):
        self.open.discard(session)
        for command in [name for name in self.streams if self.session_of(name) in (session, None)]:
            del self.streams[command]

    def session_of(self, command):
        held = self.worker.commands.get(command)
        return held and held.session

    # -- what the master says

    def on_welcome(self, _, fields):
        if self.is_welcome:
            raise Broken("unexpected", "a second welcome")
        self.is_welcome = True
        self.heartbeat_s = a_number(fields, "heartbeatMs", 1) / 1000
        self.dead_s = a_number(fields, "deadMs", 1) / 1000
        self.next_ping = time.monotonic() + self.heartbeat_s * random.uniform(0.8, 1)
        print("worker: connected", file=sys.stderr, flush=True)
        self.inventory()

    def on_goodbye(self, _, fields):
        code = a_text(fields, "code")
        raise Lost("the master says goodbye: %s: %s" % (code, a_text(fields, "message")), code, fields.get("retryAfterMs"))

    def on_ping(self, _, fields):
        self.send("pong", "", n=a_number(fields, "n"))

    def on_pong(self, _, fields):
        a_number(fields, "n")  # that it came is all it says

    def on_channels_want(self, _, fields):
        """§7: so many session channels in all, bound and spare. On mux it means nothing."""
        self.wanted = 0 if self.is_mux else a_number(fields, "count")
        self.open_channels()

    def open_channels(self):
        while len(self.channels) < self.wanted:
            self.channels.append(Pipe(self.ssh("trunkline-session"), self.worker.dir))

    def on_credit(self, session, fields):
        """§9: totals since the connection began; a lower one is ignored."""
        self.granted[session] = max(self.granted.get(session, 0), a_number(fields, "total"))

    def on_inventory_answer(self, _, fields):
        """§11"""
        for verdict in fields["sessions"]:
            if verdict["verdict"] == "forget":
                self.worker.drop_session(verdict["session"])
        for verdict in fields["commands"]:
            command = self.worker.commands.get(verdict["command"])
            if command is None:
                continue
            if verdict["verdict"] == "forget":
                self.worker.forget(command)
            elif verdict.get("fence", command.fence) >= command.fence:
                command.raise_fence(verdict.get("fence", command.fence))
                self.continued[command.id] = verdict.get("from", 0)
                command.output.drop_below(verdict.get("from", 0))
        self.is_answered = self.is_answered or fields["last"]
        for session in self.open:
            self.continue_streams(session)

    def on_session_open(self, session, fields):
        """§7: idempotent; of a session that is known it binds the channel and raises the fence."""
        fence, directory = a_number(fields, "fence", 1), a_text(fields, "directory")
        known = self.worker.sessions.get(session)
        if known and fence < known["fence"]:
            return
        try:
            os.makedirs(inside(self.worker.work, directory), exist_ok=True)
            self.worker.put_session(session, fence, directory)
        except (Refused, OSError, ValueError) as error:
            return self.send("session.failed", session, True, fence=fence, code="folder", message=str(error)[:1000])
        if session in self.open:  # its channel was lost, and what was in it
            for name, stream in self.streams.items():
                if self.session_of(name) == session:
                    stream.at, stream.is_end_told = stream.acked, False
        self.open.add(session)
        self.send("session.opened", session, fence=fence)
        self.continue_streams(session)

    def continue_streams(self, session):
        for name in [name for name in self.continued if self.session_of(name) == session]:
            self.streams.setdefault(name, Stream(self.continued.pop(name)))

    def on_session_close(self, session, fields):
        """§7: its commands are ended and dropped; `session.closed` goes behind all log frames, and none follows."""
        known = self.worker.sessions.get(session)
        if known and a_number(fields, "fence", 1) < known["fence"]:
            return
        self.close_streams(session)
        for command in [command for command in self.worker.commands.values() if command.session == session]:
            self.worker.forget(command)
        self.worker.drop_session(session)
        self.send("session.closed", session, True, fence=fields["fence"])

    def on_command_start(self, session, fields):
        command_id, fence = an_id(fields.get("command")), a_number(fields, "fence", 1)
        check_spec(fields["spec"])
        if fields.get("logMaxBytes") is not None:
            a_number(fields, "logMaxBytes")
        seat = self.worker.sessions.get(session)
        if seat and fence < seat["fence"]:
            return  # §4: from an owner of the past
        if session not in self.open or not seat:
            return self.refuse(session, fields, "its session is not open on this worker")
        if fence > seat["fence"]:
            self.worker.put_session(session, fence, seat["directory"])
        command = self.worker.commands.get(command_id)
        if command is None:
            self.waiting.append((time.monotonic() + LEAVERS_S, session, fields))
            return self.start_waiting()
        if fence < command.fence:
            return
        command.raise_fence(fence)
        self.tell_started(command)

    def start_waiting(self):
        """§8, never two at once: nothing begins in a folder in which a process of a forgotten command lives."""
        waiting, self.waiting = self.waiting, []
        for until, session, fields in waiting:
            if session not in self.open:
                continue
            folder = self.worker.folder_of(session)
            left = [command for command in self.worker.commands.values()
                    if command.is_leaving and (command.session == session or command.order.get("cwd", "") == folder)]
            if left and time.monotonic() < until:
                self.waiting.append((until, session, fields))
            elif left:
                pids = ", ".join(str(command.pid()) for command in left)
                self.refuse(session, fields, "what an earlier build ran there has not ended: processes %s" % pids)
            elif fields["command"] in self.worker.commands:
                self.tell_started(self.worker.commands[fields["command"]])
            else:
                self.tell_started(self.worker.claim(session, fields))

    def tell_started(self, command):
        self.send("command.started", command.session, command=command.id, fence=command.fence)
        if command.session in self.open:
            stream = self.streams.setdefault(command.id, Stream(command.output.start()))
            stream.is_end_told = False

    def refuse(self, session, fields, message):
        outcome = {"status": "refused", "message": message[:1000], "startedAtMs": now_ms(), "endedAtMs": now_ms()}
        self.send("command.finished", session, command=fields["command"], fence=fields["fence"], outputEnd=0, outcome=outcome)

    def on_command_interrupt(self, _, fields):
        command = self.worker.commands.get(an_id(fields.get("command")))
        if command and a_number(fields, "fence", 1) >= command.fence:
            command.end("interrupt")

    def on_command_forget(self, _, fields):
        command = self.worker.commands.get(an_id(fields.get("command")))
        if command:
            self.streams.pop(command.id, None)
            self.worker.forget(command)

    def on_log_ack(self, _, fields):
        stream, command = self.streams.get(fields.get("command")), self.worker.commands.get(fields.get("command"))
        if stream and command:
            stream.acked = max(stream.acked, a_number(fields, "offset"))
            command.output.drop_below(stream.acked)

    def on_log_want(self, _, fields):
        stream = self.streams.get(fields.get("command"))
        if stream:
            stream.at = a_number(fields, "offset")

    # -- output

    def send_output(self):
        """A chunk of each command in turn, as long as there is room in the pipes; one without credit holds up nobody else."""
        has_sent = True
        while has_sent and sum(pipe.queued() for pipe in [self.control] + self.channels) < QUEUE_BYTES:
            has_sent = False
            self.turn += 1
            names = list(self.streams)
            for name in names[self.turn % max(1, len(names)):] + names[:self.turn % max(1, len(names))]:
                command = self.worker.commands.get(name)
                if command is None:
                    del self.streams[name]
                elif command.session in self.pipes:
                    has_sent = self.send_some(command, self.streams[name]) or has_sent

    def send_some(self, command, stream):
        if command.ended and not stream.is_end_told:
            stream.is_end_told = True
            self.send("command.finished", command.session, command=command.id, fence=command.fence,
                      outputEnd=command.ended["outputEnd"], outcome=command.ended["outcome"])
        todo = command.output.next(stream.at, command.ended)
        if todo is None or (stream.short_of[0] == stream.at and self.room(command.session) < stream.short_of[1]):
            return False
        head = {"command": command.id, "fence": command.fence}
        if todo[0] == "hole":
            kind, length, pieces = "log.hole", todo[1]["length"], [dict(head, **todo[1])]
        else:
            read = command.output.read(stream.at, min(CHUNK_BYTES, todo[1] - stream.at))
            kind, length, body, codec = "log.append", len(read), read, "raw"
            if length >= RAW_BELOW_BYTES:
                packed = gzip.compress(read, 1)
                body, codec = (packed, "gzip") if len(packed) < length else (body, codec)
            # §9: all frames of a chunk have the same head; `position` counts the bytes as sent.
            head.update(offset=stream.at, length=length, atMs=now_ms(), lines=read.count(b"\n"), codec=codec, size=len(body))
            pieces = [dict(head, position=at, bytes=body[at:at + PAYLOAD_BYTES]) for at in range(0, len(body), PAYLOAD_BYTES)]
        missing = self.send_log(kind, command.session, [frame(kind, command.session, fields) for fields in pieces])
        stream.short_of = (stream.at, missing)
        if not missing:
            stream.at += length
        return not missing


# ---- The command line

def init(options):
    folder = os.path.abspath(options.dir)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not os.path.exists(folder + "/key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", options.name, "-f", folder + "/key"], check=True)
    host, _, port = options.master.partition(":")
    with open(folder + "/known_hosts", "w") as file:
        file.write("%s %s\n" % (host if port in ("", "22") else "[%s]:%s" % (host, port), options.host_key))
    with open(folder + "/key.pub") as file:
        print(file.read().strip())
    print("\nLet it in, as an operator of the master: ssh -p %s YOU@%s worker add %s < %s/key.pub" % (port or "22", host, options.name, folder))

def main():
    words = sys.argv[1:]
    if words[:1] == ["--keep"]:
        return keep(words[1])
    is_init = words[:1] == ["init"]
    parser = argparse.ArgumentParser(description="A Trunkline worker.")
    parser.add_argument("dir")
    parser.add_argument("--master", required=True, metavar="HOST[:PORT]")
    parser.add_argument("--name", required=True)
    parser.add_argument("--host-key", required=is_init, help="init: the line of the master's host_key.pub")
    parser.add_argument("--channels", action="store_true", help="an SSH channel a session, by ControlMaster, instead of mux")
    options = parser.parse_args(words[1:] if is_init else words)
    if is_init:
        return init(options)
    Worker(options).run()

if __name__ == "__main__":
    main()
