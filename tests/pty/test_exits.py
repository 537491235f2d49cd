#!/usr/bin/env python3
"""Every way out of the workbench leaves the terminal as it was, says the right exit status, and leaves a run that goes
on."""
import os
import signal
import termios
import time

import ptylib


def resumable(world, run_dir):
    """The run goes on from its checkpoint and can be stopped again."""
    p = world.start(["run", "--resume", "--run-dir", run_dir])
    try:
        p.until(lambda: " RUN " in p.row(0), "the resumed game to run")
        assert os.listdir(os.path.join(world.path, run_dir, "checkpoints")), "no checkpoint was written"
        p.process.send_signal(signal.SIGTERM)
        assert p.wait() == 143
    finally:
        p.close()


def stopped_by(world, sig, name):
    run_dir = "run-" + name
    p = world.game(run_dir)
    try:
        p.process.send_signal(sig)
        code = p.wait()
        assert code == 128 + sig, "exit status %d after %s" % (code, name)
        p.sane()
        assert "--resume --run-dir" in p.raw.decode("utf-8", "replace"), "how to go on is not said"
    finally:
        p.close()
    resumable(world, run_dir)


def test_term(world):
    stopped_by(world, signal.SIGTERM, "TERM")


def test_hup(world):
    stopped_by(world, signal.SIGHUP, "HUP")


def test_int(world):
    stopped_by(world, signal.SIGINT, "INT")


def test_quit(world):
    stopped_by(world, signal.SIGQUIT, "QUIT")


def crashed_by(world, sig, name):
    p = world.game("run-" + name)
    try:
        p.type(":set ")  # the line being typed must not matter
        p.sees(":set")
        p.process.send_signal(sig)
        code = p.wait()
        assert code == 128 + sig, "exit status %d after %s" % (code, name)
        p.sane()
    finally:
        p.close()


def test_segv(world):
    crashed_by(world, signal.SIGSEGV, "SEGV")


def test_abrt(world):
    crashed_by(world, signal.SIGABRT, "ABRT")


def test_terminal_gone(world):
    p = world.game("run-gone")
    try:
        os.close(p.slave)
        os.close(p.master)
        p.slave = p.master = -1
        end = time.monotonic() + ptylib.LIMIT
        while p.process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        assert p.process.returncode == 129, "exit status %r after the terminal went away" % p.process.returncode
    finally:
        p.close()
    resumable(world, "run-gone")


def test_interrupt_twice(world):
    p = world.game("run-ctrl-c")
    try:
        p.key("C-c")
        p.sees("^C again")
        p.key("Esc")
        p.gone("^C again")
        p.key("C-c")
        p.sees("^C again")
        p.key("C-c")
        assert p.wait() == 130
        p.sane()
    finally:
        p.close()
    resumable(world, "run-ctrl-c")


def test_quit_asks(world):
    p = world.game("run-q")
    try:
        p.type("q")
        p.sees("Leave?")
        p.type("q")  # the key that asked does not confirm
        p.key("Enter")
        p.settle()
        assert p.process.poll() is None and "Leave?" in p.screen.text()
        p.key("Esc")
        p.gone("Leave?")
        p.type("q")
        p.sees("Leave?")
        p.type("c")
        assert p.wait() == 0
        p.sane()
    finally:
        p.close()
    resumable(world, "run-q")


def test_discard(world):
    p = world.game("run-d")
    try:
        p.type("q")
        p.sees("Leave?")
        p.type("d")
        assert p.wait() == 0
        p.sane()
        assert not os.path.exists(os.path.join(world.path, "run-d")), "the discarded run is still there"
    finally:
        p.close()


def test_done_leaves_at_once(world):
    p = world.start(["run", "game.json", "--run-dir", "run-done", "--set", "iterations=1"])
    try:
        p.until(lambda: " DONE " in p.row(0), "the end of the run")
        p.type("q")
        assert p.wait() == 0
        p.sane()
    finally:
        p.close()


def test_suspend(world):
    """^Z gives the terminal back and stops the whole job; continued, the program draws again and the game goes on."""
    report = os.path.join(world.path, "stopped")
    p = world.game("run-stop", job=report)
    try:
        p.key("C-z")
        p.until(lambda: os.path.exists(report), "the job to stop")
        with open(report) as f:
            assert f.read() == repr(p.before), "the terminal was not given back at the stop"
        p.settle()
        p.type("on\n")
        p.type(":")
        p.sees("Tab completes")
        p.key("Esc")
        p.gone("Tab completes")
        p.type("q")
        p.sees("Leave?")
        p.type("c")
        assert p.wait() == 0
        p.sane()
    finally:
        p.close()


def test_stop_and_continue(world):
    """Stopped from outside without warning, continued with changed settings, as by a shell."""
    p = world.game("run-cont")
    try:
        p.process.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        termios.tcsetattr(p.slave, termios.TCSANOW, p.before)
        p.process.send_signal(signal.SIGCONT)
        p.until(lambda: termios.tcgetattr(p.slave)[3] & termios.ICANON == 0, "raw keys again")
        p.type(":")
        p.sees("Tab completes")
        p.key("Esc")
        p.process.send_signal(signal.SIGTERM)
        assert p.wait() == 143
        p.sane()
    finally:
        p.close()


def test_bad_start(world):
    """Errors before the first frame leave no trace on the screen."""
    p = world.start(["run", "missing.json"])
    try:
        assert p.wait() == 1
        assert b"pbkd: missing.json" in p.raw and b"\x1b[?1049h" not in p.raw
    finally:
        p.close()


def test_unknown_backend(world):
    """PBKD_MATMUL names a matrix-product backend; a wrong name ends the program before it does anything."""
    p = world.try_run(["--version"], env={"PBKD_MATMUL": "abacus"})
    assert p.returncode == 2 and "abacus" in p.stderr and "openblas, reference" in p.stderr and not p.stdout
    assert world.try_run(["--version"], env={"PBKD_MATMUL": "reference"}).returncode == 0


if __name__ == "__main__":
    ptylib.main([test_term, test_hup, test_int, test_quit, test_segv, test_abrt, test_terminal_gone,
                 test_interrupt_twice, test_quit_asks, test_discard, test_done_leaves_at_once, test_suspend,
                 test_stop_and_continue, test_bad_start, test_unknown_backend])
