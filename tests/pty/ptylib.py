"""Drive the real program in a pseudo-terminal: start it, press keys, read its screen. Python's standard library only.

`Screen` understands what ncurses sends to an xterm: enough to know which character stands where, no more. Checks wait
for a state with a generous limit instead of sleeping, so that a busy machine makes a test slow, not wrong. A frame may
arrive in parts: whatever is expected of a screen belongs into the wait itself, not into an assertion behind it.
"""
import codecs
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback
import unicodedata

PBKD = os.path.abspath(os.environ.get("PBKD", "./pbkd"))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT = 60.0  # seconds that a wait may take on a very busy machine

KEYS = {"Enter": "\r", "Esc": "\x1b", "Tab": "\t", "BackTab": "\x1b[Z", "Up": "\x1bOA", "Down": "\x1bOB",
        "Right": "\x1bOC", "Left": "\x1bOD", "Home": "\x1bOH", "End": "\x1bOF", "BS": "\x7f", "Del": "\x1b[3~",
        "PgUp": "\x1b[5~", "PgDn": "\x1b[6~", "F1": "\x1bOP"}
# CSI (private mark, parameters, final byte), character sets, other escapes, titles, control characters, text.
TOKEN = re.compile(r"\x1b\[([?>]?)([0-9;:]*)([@A-Za-z`])|\x1b[()][A-Z0-9]|\x1b([=>78MDEHc])|\x1b\][^\x07]*\x07|"
                   r"([\x00-\x1f])|(.)", re.S)


def cells(c):
    if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


class Screen:
    """Characters by row and column; `sgr` collects every colour and attribute sequence seen."""

    def __init__(self, cols, rows):
        self.resize(cols, rows)
        self.tail, self.last, self.sgr = "", " ", []

    def resize(self, cols, rows):
        self.cols, self.rows, self.y, self.x = cols, rows, 0, 0
        self.top, self.bottom, self.saved = 0, rows - 1, (0, 0)
        self.grid = [[" "] * cols for _ in range(rows)]

    def feed(self, data):
        text, self.tail = self.tail + data, ""
        at = 0
        while at < len(text):
            m = TOKEN.match(text, at)
            # An escape sequence that has not arrived in full waits for the rest.
            if text[at] == "\x1b" and (m is None or m.group(5) == "\x1b"):
                self.tail = text[at:]
                return
            at = m.end()
            if m.group(3):
                self.csi(m.group(1), m.group(2), m.group(3))
            elif m.group(4):
                self.escape(m.group(4))
            elif m.group(5):
                self.control(m.group(5))
            elif m.group(6):
                self.put(m.group(6))

    def put(self, c):
        n = cells(c)
        if n == 0:
            if self.x > 0:
                self.grid[self.y][self.x - 1] += c
            return
        if self.x + n > self.cols:
            self.x = 0
            self.linefeed()
        self.grid[self.y][self.x] = c
        if n == 2 and self.x + 1 < self.cols:
            self.grid[self.y][self.x + 1] = ""
        self.x, self.last = self.x + n, c

    def linefeed(self):
        if self.y == self.bottom:
            self.scroll(self.top, 1)
        elif self.y < self.rows - 1:
            self.y += 1

    def scroll(self, at, n):
        for _ in range(abs(n)):
            if n > 0:
                del self.grid[at]
                self.grid.insert(self.bottom, [" "] * self.cols)
            else:
                del self.grid[self.bottom]
                self.grid.insert(at, [" "] * self.cols)

    def control(self, c):
        if c == "\r":
            self.x = 0
        elif c == "\n":
            self.linefeed()
        elif c == "\b":
            self.x = max(0, self.x - 1)
        elif c == "\t":
            self.x = min(self.cols - 1, self.x // 8 * 8 + 8)

    def escape(self, c):
        if c == "M":
            if self.y == self.top:
                self.scroll(self.top, -1)
            else:
                self.y = max(0, self.y - 1)
        elif c == "7":
            self.saved = self.y, self.x
        elif c == "8":
            self.y, self.x = self.saved
        elif c in "DE":
            self.linefeed()
            self.x = 0 if c == "E" else self.x

    def csi(self, private, args, final):
        p = [int(a) if a else 0 for a in re.split("[;:]", args)] if args else []
        n = p[0] if p and p[0] else 1
        row = self.grid[self.y]
        if private:
            return
        if final == "m":
            self.sgr.append(args)
        elif final in "Hf":
            self.y, self.x = min(self.rows, n) - 1, min(self.cols, p[1] if len(p) > 1 and p[1] else 1) - 1
        elif final == "d":
            self.y = min(self.rows, n) - 1
        elif final in "G`":
            self.x = min(self.cols, n) - 1
        elif final == "A":
            self.y = max(0, self.y - n)
        elif final == "B":
            self.y = min(self.rows - 1, self.y + n)
        elif final == "C":
            self.x = min(self.cols - 1, self.x + n)
        elif final == "D":
            self.x = max(0, self.x - n)
        elif final == "J":
            mode = p[0] if p else 0
            if mode == 0:
                row[self.x:] = [" "] * (self.cols - self.x)
            for y in range(self.rows):
                if mode >= 2 or (mode == 0 and y > self.y) or (mode == 1 and y < self.y):
                    self.grid[y] = [" "] * self.cols
        elif final == "K":
            mode = p[0] if p else 0
            first, end = (self.x, self.cols) if mode == 0 else (0, self.x + 1) if mode == 1 else (0, self.cols)
            row[first:end] = [" "] * (end - first)
        elif final == "X":
            row[self.x:self.x + n] = [" "] * min(n, self.cols - self.x)
        elif final == "P":
            del row[self.x:self.x + n]
            row.extend([" "] * (self.cols - len(row)))
        elif final == "@":
            row[self.x:self.x] = [" "] * n
            del row[self.cols:]
        elif final == "b":
            for _ in range(n):
                self.put(self.last)
        elif final == "L":
            self.scroll(self.y, -n)
        elif final == "M":
            self.scroll(self.y, n)
        elif final == "S":
            self.scroll(self.top, n)
        elif final == "T":
            self.scroll(self.top, -n)
        elif final == "r":
            self.top, self.bottom = (p[0] - 1, p[1] - 1) if len(p) == 2 else (0, self.rows - 1)
            self.y = self.x = 0
        elif final not in "hlt":  # modes and window titles move no character
            raise AssertionError("a control sequence that this terminal does not know: CSI %s %s" % (args, final))

    def lines(self):
        return ["".join(r).rstrip() for r in self.grid]

    def text(self):
        return "\n".join(self.lines())


# A shell's job control in a nutshell: run argv[2:] as a foreground job; when it stops, write the terminal's settings
# to the file argv[1], wait for a line of input and continue it; exit with its status.
JOB_CONTROL = """
import os, signal, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    os.tcsetpgrp(0, os.getpgrp())
    with open(sys.argv[1] + ".new", "w") as f:
        f.write(repr(termios.tcgetattr(0)))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    sys.stdin.readline()
    os.tcsetpgrp(0, pid)
    os.kill(-pid, signal.SIGCONT)
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
"""


class Program:
    """The program in a terminal of its own. The slave side stays open here, so that its settings can be read after the
    program ended."""

    def __init__(self, args, cols=100, rows=30, term="xterm-256color", cwd=None, env=None, job=None):
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.screen, self.raw = Screen(cols, rows), b""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end inside a character
        unwanted = ("LINES", "COLUMNS", "NO_COLOR", "LC_ALL", "LC_CTYPE")
        environment = {k: v for k, v in os.environ.items() if k not in unwanted}
        environment.update({"TERM": term, "LANG": "C.UTF-8"})
        environment.update(env or {})
        # job: run under JOB_CONTROL, which reports a stop in that file and continues after a line of input
        command = ([sys.executable, "-c", JOB_CONTROL, job] if job else []) + [PBKD] + args
        self.process = subprocess.Popen(command, stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=cwd,
                                        env=environment, preexec_fn=self.own_terminal)

    def own_terminal(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def read(self, seconds=0.05):
        """Take in what the program draws for at most that long."""
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False
            self.raw += data
            self.screen.feed(self.decoder.decode(data))
            return True
        return False

    def until(self, condition, what, limit=LIMIT):
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("waited %g s for %s; the screen:\n%s" % (limit, what, self.screen.text()))
            self.read()

    def sees(self, text, limit=LIMIT):
        self.until(lambda: text in self.screen.text(), "%r" % text, limit)

    def gone(self, text, limit=LIMIT):
        self.until(lambda: text not in self.screen.text(), "no %r" % text, limit)

    def settle(self, seconds=0.3):
        """Read for a while: for checks that something does not happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.02)

    def still(self, seconds, what, limit=LIMIT):
        """Wait until the screen keeps its text for that long; a screen that never does fails. Returns its lines."""
        end, before, since = time.monotonic() + limit, self.screen.lines(), time.monotonic()
        while time.monotonic() - since < seconds:
            self.read(0.02)
            if self.screen.lines() != before:
                before, since = self.screen.lines(), time.monotonic()
            if since > end:
                raise AssertionError("%s: the screen moves for %g s:\n%s" % (what, limit, self.screen.text()))
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def key(self, name):
        if name.startswith("C-"):
            os.write(self.master, bytes([ord(name[2].upper()) & 31]))
        else:
            self.type(KEYS[name])

    def resize(self, cols, rows):
        self.screen.resize(cols, rows)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def row(self, y):
        return self.screen.lines()[y]

    def wait(self, limit=LIMIT):
        """Exit status as a shell would show it."""
        end = time.monotonic() + limit
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise AssertionError("the program did not end; the screen:\n%s" % self.screen.text())
            self.read()
        while self.read(0.05):
            pass
        code = self.process.returncode
        return 128 - code if code < 0 else code

    def sane(self):
        """The terminal is as it was: line settings, main screen, cursor on."""
        after = termios.tcgetattr(self.slave)
        assert after == self.before, "terminal settings differ: %r, before %r" % (after, self.before)
        enter, leave = self.raw.rfind(b"\x1b[?1049h"), self.raw.rfind(b"\x1b[?1049l")
        assert leave > enter, "the alternate screen was not left"
        hide, show = self.raw.rfind(b"\x1b[?25l"), self.raw.rfind(b"\x1b[?25h")
        assert show > hide, "the cursor stays hidden"

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master, self.slave):
            if fd >= 0:
                os.close(fd)


class World:
    """A folder with a small teacher, a smaller student and a configuration, made by the program itself."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pbkd-pty-")
        self.path = self.folder.name
        rows = [("%d plus %d" % (i % 10, i // 10 % 10), str(i % 10 + i // 10 % 10)) for i in range(100)]
        self.write("pre.jsonl", "".join(json.dumps({"prompt": p, "response": a}) + "\n" for p, a in rows))
        self.write("prompts.jsonl", "".join(json.dumps({"prompt": p, "answer": a}) + "\n" for p, a in rows))
        self.run(["pretrain", "--data", "pre.jsonl", "-o", "teacher.gguf", "--layers", "3", "--width", "32",
                  "--heads", "2", "--vocab", "280", "--context", "64", "--steps", "60", "--batch", "16",
                  "--threads", "1"])
        self.run(["init-student", "--from", "teacher.gguf", "--layers", "2", "-o", "student.gguf"])
        self.write("game.json", json.dumps({
            "teacher": {"model": "teacher.gguf"}, "student": {"model": "student.gguf"},
            "prompts": {"train": "prompts.jsonl", "heldout": "prompts.jsonl", "checker": "number", "template": "raw",
                        "per_iteration": 16},
            "iterations": 1000, "samples_per_prompt": 2, "max_new_tokens": 8, "threads": 1,
            "eval": {"prompts": 16, "gap_prompts": 8, "bootstrap": 100}, "reward": {"steps": 5, "gate": 0},
            "game": {"rounds": 3}}))

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(text)

    def run(self, args, env=None, stdin=subprocess.DEVNULL):
        """Without a terminal; returns the finished process and insists on success."""
        p = self.try_run(args, env, stdin)
        assert p.returncode == 0, "pbkd %s: exit status %d\n%s" % (" ".join(args), p.returncode, p.stderr)
        return p

    def try_run(self, args, env=None, stdin=subprocess.DEVNULL, cwd=None):
        e = dict(os.environ)
        e.update(env or {})
        return subprocess.run([PBKD] + args, cwd=cwd or self.path, env=e, stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=300)

    def start(self, args, **kw):
        """In a terminal, with a history file and a folder for an rc file of its own."""
        env = {"XDG_STATE_HOME": os.path.join(self.path, "state"),
               "XDG_CONFIG_HOME": os.path.join(self.path, "config"), "USER": "tester", "INPUTRC": "/dev/null"}
        env.update(kw.pop("env", {}))
        return Program(args, cwd=self.path, env=env, **kw)

    def game(self, run_dir, *more, **kw):
        """A long game on the workbench, past loading."""
        p = self.start(["run", "game.json", "--run-dir", run_dir] + list(more), **kw)
        p.until(lambda: " RUN " in p.row(0), "the game to run")
        return p


def main(tests):
    """Run the test functions with one world; exit status 0 when all hold."""
    if not os.path.exists(PBKD):
        print("no program at", PBKD)
        sys.exit(1)
    world, failed = World(), 0
    wanted = sys.argv[1:]
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        try:
            test(world)
            print("ok   ", test.__name__, flush=True)
        except Exception:
            failed += 1
            print("FAIL ", test.__name__, flush=True)
            traceback.print_exc(file=sys.stdout)
    world.folder.cleanup()
    sys.exit(1 if failed else 0)
