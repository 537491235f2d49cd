#!/usr/bin/env python3
"""The same program without a screen: pipes, dumb terminals, signals, and the verbs that need no game."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import ptylib


def result(p):
    """The result object: the last line of standard output."""
    return json.loads(p.stdout.strip().split("\n")[-1])


def test_headless_result(world):
    p = world.run(["run", "game.json", "--headless", "--run-dir", "text-1", "--set", "iterations=2", "--seed", "3"])
    r = result(p)
    assert r["iterations"] == 2 and r["pairs"] > 0, r
    assert "\x1b" not in p.stdout + p.stderr, "control sequences in a pipe"
    assert "iteration 2:" in p.stdout, "the facts of the run are missing"
    again = world.run(["run", "game.json", "--headless", "--run-dir", "text-2", "--set", "iterations=2", "--seed=3"])
    assert result(again)["weights_hash"] == r["weights_hash"], "the same seed gave other weights"


def test_no_terminal_means_headless(world):
    p = world.run(["run", "game.json", "--run-dir", "text-3", "--set", "iterations=1"])
    assert result(p)["iterations"] == 1
    assert "running as text" in p.stderr


def test_facts_without_a_screen(world):
    """Nothing was named, nothing may start: the facts that the workbench would show, as text."""
    empty = os.path.join(world.path, "text-empty")
    os.makedirs(empty)
    p = world.try_run([], cwd=empty)
    assert p.returncode == 0 and "no terminal" in p.stderr, p.stderr
    assert "There is no run under runs/ yet." in p.stdout and "pbkd demo" in p.stdout, p.stdout
    assert not os.listdir(empty), "something was started"
    run_dir = os.path.join(empty, "runs", "one")
    world.run(["run", "game.json", "--headless", "--run-dir", run_dir, "--set", "iterations=2"])
    p = world.try_run([], cwd=empty)
    assert p.returncode == 0, p.stderr
    for text in ("run          runs/one (game.json), started 20", "iteration 2 of 2, tick ", ", ended\n", "gap.worst ",
                 "student.accuracy ", "iteration 2: held-out", "pbkd run --resume --run-dir runs/one"):
        assert text in p.stdout, "%r is missing:\n%s" % (text, p.stdout)
    going = start_headless(world, os.path.join(empty, "runs", "two"))
    p = world.try_run([], cwd=empty)
    assert "going on in process %d\n" % going.pid in p.stdout, p.stdout
    going.kill()
    going.communicate()
    p = world.try_run([], cwd=empty)
    assert "runs/two" in p.stdout and ", stopped" in p.stdout, p.stdout
    with open(os.path.join(run_dir, "run.db"), "wb") as f:
        f.write(b"no database")
    os.utime(os.path.join(run_dir, "lock"))
    p = world.try_run([], cwd=empty)
    assert p.returncode == 1 and "run.db" in p.stderr, p.stderr


def test_dumb_terminal(world):
    p = world.start(["run", "game.json", "--run-dir", "text-dumb", "--set", "iterations=1"], term="dumb")
    try:
        assert p.wait() == 0
        text = p.raw.decode()
        assert "cannot move its cursor" in text and '"iterations":1' in text
        assert "\x1b" not in text, "control sequences on a dumb terminal"
    finally:
        p.close()


def test_unknown_terminal(world):
    p = world.start(["run", "game.json", "--run-dir", "text-unknown", "--set", "iterations=1"], term="no-such-terminal")
    try:
        assert p.wait() == 0
        assert '"iterations":1' in p.raw.decode()
    finally:
        p.close()


def start_headless(world, run_dir):
    p = subprocess.Popen([ptylib.PBKD, "run", "game.json", "--headless", "--run-dir", run_dir], cwd=world.path,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         universal_newlines=True)
    for line in p.stdout:
        if "iteration 1: held-out" in line or " t 2/" in line:
            return p
    raise AssertionError("the run ended early: " + p.stderr.read())


def test_signals(world):
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        run_dir = "text-%s" % sig.name
        p = start_headless(world, run_dir)
        p.send_signal(sig)
        out, errors = p.communicate(timeout=ptylib.LIMIT)
        assert p.returncode == 128 + sig, "exit status %d after %s" % (p.returncode, sig.name)
        assert "pbkd run --resume --run-dir " in errors and run_dir in errors, errors
        assert os.listdir(os.path.join(world.path, run_dir, "checkpoints"))
        json.loads(out.strip().split("\n")[-1])


def test_closed_pipe(world):
    p = start_headless(world, "text-pipe")
    p.stdout.close()
    errors = p.stderr.read()
    assert p.wait(timeout=ptylib.LIMIT) == 128 + signal.SIGPIPE
    assert "standard output was closed" in errors


def test_resume_is_exact(world):
    """Killed without warning, a run goes on from its checkpoint to the same weights."""
    args = ["--set", "iterations=4", "--headless"]
    whole = result(world.run(["run", "game.json", "--run-dir", "text-whole"] + args))
    p = subprocess.Popen([ptylib.PBKD, "run", "game.json", "--run-dir", "text-cut"] + args, cwd=world.path,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         universal_newlines=True)
    for line in p.stdout:
        if "iteration 2: held-out" in line:
            break
    p.kill()
    p.wait()
    p.stdout.close()
    rest = result(world.run(["run", "--resume", "--run-dir", "text-cut", "--headless"]))
    assert rest["weights_hash"] == whole["weights_hash"], "the resumed run ended elsewhere"
    said = world.run(["export", "text-whole", "-o", "whole.gguf"]).stderr
    assert re.match(r"pbkd: whole.gguf written: the student at tick \d+\n$", said), said
    files = [open(os.path.join(world.path, name), "rb").read() for name in ("whole.gguf", "text-whole/student.gguf")]
    assert files[0] == files[1]
    tick = said.split()[-1]
    world.run(["export", "text-whole", "--tick", tick, "--type", "q8_0", "-o", "small.gguf"])
    assert os.path.getsize(os.path.join(world.path, "small.gguf")) < 0.5 * len(files[0])


def test_wrong_usage(world):
    for args, text in ((["run"], "configuration"), (["nonsense"], "nonsense"),
                       (["run", "game.json", "--sed", "1"], "--sed"), (["run", "game.json", "--seed", "-1"], "--seed"),
                       (["demo", "--set", "betta=1"], "betta"), (["demo", "--set", "beta=-1"], "beta"),
                       (["info"], "model file"), (["generate", "--model", "m"], "--prompt"),
                       (["prefs", "export", "x"], "-o"), (["export", "x"], "-o"), (["export", "-o", "x"], "folder"),
                       (["export", "x", "-o", "y", "--type", "q9"], "q9"), (["prefs"], "usage"), (["sft", "--data", "d"], "--model")):
        p = world.try_run(args)
        assert p.returncode == 2 and text in p.stderr, "%r: %d %s" % (args, p.returncode, p.stderr)
        assert not p.stdout, "%r wrote to standard output" % args


def test_failures(world):
    world.write("broken.json", "{")
    world.write("unknown.json", '{"betta": 1}')
    for args, text in ((["run", "missing.json"], "missing.json"), (["run", "broken.json"], "broken.json"),
                       (["run", "unknown.json"], "betta"),
                       (["info", "missing.gguf"], "missing.gguf"), (["info", "game.json"], "game.json"),
                       (["generate", "--model", "missing.gguf", "--prompt", "x"], "missing.gguf"),
                       (["prefs", "stats", "missing", "--json"], "missing"),
                       (["run", "--resume", "--run-dir", "missing"], "missing"),
                       (["export", "missing", "-o", "x.gguf"], "missing: holds no run"),
                       (["sft", "--model", "teacher.gguf", "--data", "missing.jsonl", "-o", "x.gguf"], "missing.jsonl"),
                       (["pretrain", "--data", "pre.jsonl", "-o", "x.gguf", "--width", "33", "--heads", "2"], "33"),
                       (["generate", "--model", "teacher.gguf", "--prompt", "x " * 200, "--raw"], "context")):
        p = world.try_run(args)
        good = p.returncode == 1 and p.stderr.startswith("pbkd: ") and text in p.stderr
        assert good, "%r: %d %s" % (args, p.returncode, p.stderr)
    assert not os.path.exists(os.path.join(world.path, "x.gguf"))

# What a hostile file or command line may hold: clear the screen, set the title, C1, bidi override and isolate, a faked
# line, and a byte that is no UTF-8.
HOSTILE = "\x1b[2J\x1b]0;x\x07\u009b31m\u202e\u2066\npbkd: fine"
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(what, p):
    """Nothing of it arrives raw; returns both outputs."""
    text = (p.stdout + p.stderr).decode("utf-8")  # fails on what is no UTF-8
    assert not RAW.search(text), "%s: raw %r in:\n%r" % (what, RAW.search(text).group(), text)
    return text


def test_hostile_text(world):
    """Names, values and arguments are shown, never passed to the terminal."""
    def run(what, args, code, *texts):
        p = subprocess.run([ptylib.PBKD] + args, cwd=world.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=300)
        text = harmless(what, p)
        assert p.returncode == code, "%s: exit status %d\n%s" % (what, p.returncode, text)
        for t in texts:
            assert t in text, "%s: %r is missing in:\n%s" % (what, t, text)
        assert "\npbkd: fine" not in text, "%s: a name faked a line:\n%s" % (what, text)
        return p.stdout.decode("utf-8")

    name = HOSTILE.replace("/", "")
    bad = b"bad-\xff\x1b[2J"
    run("unknown verb", [name], 2, "^[[2J", "<9B>", "<U+202E>", "<U+2066>", "^J")
    run("unknown verb, no UTF-8", [bad], 2, "<FF>^[[2J")
    run("unknown option", ["run", "--" + name], 2, "[2J")
    run("wrong value", ["generate", "--seed", name], 2, "[2J")
    run("wrong setting", ["run", "game.json", "--set", "beta=" + name], 2, "[2J")
    run("unknown kind", ["study", name, "game.json"], 2, "[2J")
    run("file that is missing", ["run", name + ".json"], 1, "[2J")
    run("folder that is missing", ["prefs", "stats", name], 1, "[2J")
    with open(os.path.join(world.path, "hostile.json"), "w") as f:
        json.dump({name: 1}, f)
    run("unknown option in a file", ["run", "hostile.json"], 1, "[2J")
    with open(os.path.join(world.path, "teacher.gguf"), "rb") as f:
        model = f.read()
    with open(os.path.join(world.path, name + ".gguf"), "wb") as f:
        f.write(model)
    run("info", ["info", name + ".gguf"], 0, "[2J", "llama.block_count")
    run("written file", ["init-student", "--from", "teacher.gguf", "--layers", "2", "-o", name + "2.gguf"], 0, "[2J")
    game = json.load(open(os.path.join(world.path, "game.json")))
    game["prompts"]["system"] = name
    hostile_config = "hostile-\x1b[2J\u202e.json"
    with open(os.path.join(world.path, hostile_config), "w") as f:
        json.dump(game, f)
    folder = os.path.join("text-hostile", "runs", "\x1b[2J\u202e\u009b")
    out = run("run", ["run", hostile_config, "--headless", "--run-dir", folder, "--set", "iterations=1"], 0)
    json.loads(out.strip().split("\n")[-1])
    run("compare", ["compare", folder, folder], 0, "^[[2J", "<U+202E>")
    world.run(["run", "game.json", "--headless", "--run-dir", "text-plain", "--set", "iterations=1"])
    run("compare of options", ["compare", folder, "text-plain"], 0, "prompts.system", "<U+2066>^Jpbkd: fine")
    both = json.loads(run("compare --json", ["compare", folder, "text-plain", "--json"], 0))
    assert both["options"]["prompts.system"][0] == name, "JSON lost a value: %r" % both
    p = subprocess.run([ptylib.PBKD], cwd=os.path.join(world.path, "text-hostile"), stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    assert "runs/^[[2J<U+202E><9B> (hostile-^[[2J<U+202E>.json)" in harmless("overview", p)


def test_one_way_out(world):
    """Only tui/safe_text.c writes to a stream."""
    writes = re.compile(r"\b(v?f?printf|f?puts|f?putc|putchar|fwrite|perror)\(")
    for folder, _, files in os.walk(os.path.join(ptylib.ROOT, "tui")):
        for name in files:
            if not name.endswith(".c") or name == "safe_text.c":
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                for number, line in enumerate(f, 1):
                    assert not writes.search(line), "%s:%d writes past safe_text.c: %s" % (name, number, line)


def test_full_disk(world):
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "w") as full:
        p = subprocess.run([ptylib.PBKD, "--help"], stdout=full, stderr=subprocess.PIPE, universal_newlines=True)
    assert p.returncode == 1 and "standard output" in p.stderr


def test_help(world):
    top = world.run(["--help"]).stdout
    assert world.run(["--version"]).stdout.startswith("pbkd ")
    for verb in ("demo", "run", "pretrain", "sft", "init-student", "generate", "info", "prefs stats", "prefs export", "export",
                 "study", "compare", "manual"):
        assert "pbkd " + verb in top
        text = world.run(verb.split() + ["--help"]).stdout
        assert text.startswith("usage: pbkd " + verb)
    assert "--max-new-tokens" in world.run(["generate", "--help"]).stdout
    assert max(len(line) for line in top.split("\n")) <= 110


def test_manual(world):
    """What the two files hold is compared in tests/unit/test_manual.c; here: the program prints them, groff takes it."""
    for flags, path in ((["--man"], "docs/pbkd.1"), (["--markdown"], "MANUAL.md"), ([], "MANUAL.md")):
        text = world.run(["manual"] + flags).stdout
        with open(os.path.join(ptylib.ROOT, path), encoding="utf-8") as f:
            assert text in f.read(), "pbkd manual %s is not what %s has" % (" ".join(flags), path)
    p = world.try_run(["manual", "--man", "--markdown"])
    assert p.returncode == 2 and "choose one" in p.stderr, p.stderr
    if shutil.which("groff"):
        p = subprocess.run(["groff", "-man", "-ww", "-z", os.path.join(ptylib.ROOT, "docs", "pbkd.1")],
                           stderr=subprocess.PIPE, universal_newlines=True)
        assert p.returncode == 0 and not p.stderr, p.stderr


def test_generate(world):
    world.write("ask.jsonl", "".join(json.dumps({"prompt": "%d plus %d" % (i, i)}) + "\n" for i in range(40)))
    args = ["generate", "--model", "teacher.gguf", "--max-new-tokens", "5", "--threads", "1"]
    rows = [json.loads(line) for line in world.run(args + ["--prompts", "ask.jsonl"]).stdout.splitlines()]
    assert [r["prompt"] for r in rows] == ["%d plus %d" % (i, i) for i in range(40)]
    assert all(set(r) == {"prompt", "response"} for r in rows)
    one = world.run(args + ["--prompt", "3 plus 3"]).stdout
    assert one == rows[3]["response"] + "\n", "alone and in a batch the answers differ"
    sampled = [world.run(args + ["--prompts", "ask.jsonl", "--temperature", "1.5", "--seed", s]).stdout for s in "778"]
    assert sampled[0] == sampled[1] != sampled[2], "the seed does not decide"
    world.run(args + ["--prompts", "ask.jsonl", "-o", "answers.jsonl"])
    with open(os.path.join(world.path, "answers.jsonl"), encoding="utf-8") as f:
        assert [json.loads(line) for line in f] == rows


def test_training_verbs(world):
    world.run(["sft", "--model", "student.gguf", "--data", "pre.jsonl", "-o", "tuned.gguf", "--steps", "5",
               "--threads", "1", "--type", "f16"])
    text = world.run(["info", "tuned.gguf"]).stdout
    assert "F16" in text and "llama.block_count" in text
    world.write("sizes.json", '{"layers": 1, "width": 16, "heads": 2, "vocab": 270, "context": 32}')
    world.run(["pretrain", "--data", "pre.jsonl", "--config", "sizes.json", "--layers", "2", "-o", "small.gguf",
               "--steps", "2", "--threads", "1"])
    text = world.run(["info", "small.gguf"]).stdout
    lines = {line.split()[0]: line.split()[-1] for line in text.splitlines() if line.strip()}
    assert lines["llama.block_count"] == "2" and lines["llama.embedding_length"] == "16", lines
    world.write("bad-sizes.json", '{"layer": 1}')
    p = world.try_run(["pretrain", "--data", "pre.jsonl", "--config", "bad-sizes.json", "-o", "x.gguf"])
    assert p.returncode == 1 and '"layer"' in p.stderr


def test_training_interrupted(world):
    p = subprocess.Popen([ptylib.PBKD, "sft", "--model", "student.gguf", "--data", "pre.jsonl", "-o", "never.gguf",
                          "--steps", "1000000", "--threads", "1"], cwd=world.path, stderr=subprocess.PIPE,
                         universal_newlines=True)
    p.stderr.readline()
    p.send_signal(signal.SIGINT)
    assert p.wait(timeout=ptylib.LIMIT) == 130
    p.stderr.close()
    assert not os.path.exists(os.path.join(world.path, "never.gguf"))


def test_preferences(world):
    world.run(["run", "game.json", "--headless", "--run-dir", "text-prefs", "--set", "iterations=1"])
    stats = json.loads(world.run(["prefs", "stats", "text-prefs", "--json"]).stdout)
    assert stats["records"] > 0 and stats["by_source"]["teacher"] == stats["records"]
    assert "by_source.teacher" in world.run(["prefs", "stats", "text-prefs"]).stdout
    world.run(["prefs", "export", "text-prefs", "--format", "trl", "-o", "trl.jsonl"])
    with open(os.path.join(world.path, "trl.jsonl"), encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    assert len(rows) == stats["records"] and set(rows[0]) == {"prompt", "chosen", "rejected"}


def test_sample_data_elsewhere(world):
    """$PBKD_DATA is the last place where the demo's configuration is looked for."""
    folder = os.path.join(world.path, "data")
    os.makedirs(os.path.join(folder, "arithmetic"))
    with open(os.path.join(world.path, "game.json")) as f:
        config = json.load(f)
    for section, key in (("teacher", "model"), ("student", "model"), ("prompts", "train"), ("prompts", "heldout")):
        config[section][key] = os.path.join(world.path, config[section][key])
    with open(os.path.join(folder, "arithmetic", "online.json"), "w") as f:
        json.dump(config, f)
    # A copy of the program outside the source tree, where no sample_data lies beside it.
    os.makedirs(os.path.join(world.path, "bin"))
    copy = os.path.join(world.path, "bin", "pbkd")
    with open(ptylib.PBKD, "rb") as src, open(copy, "wb") as dst:
        dst.write(src.read())
    os.chmod(copy, 0o755)
    command = [copy, "demo", "--headless", "--run-dir", "text-demo", "--set", "iterations=0"]
    env = dict(os.environ, PBKD_DATA=folder)
    p = subprocess.run(command, cwd=world.path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, universal_newlines=True)
    if os.path.exists("/usr/local/share/pbkd/sample_data"):
        return  # an installed copy comes first
    assert p.returncode == 0, p.stderr
    del env["PBKD_DATA"]
    p = subprocess.run(command, cwd=world.path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, universal_newlines=True)
    assert p.returncode == 1 and "arithmetic/online.json" in p.stderr and "PBKD_DATA" in p.stderr


def test_first_frame_and_keys(world):
    """Not a benchmark: both must come, and the figures stand in the log."""
    start = time.monotonic()
    p = world.start(["run", "game.json", "--run-dir", "text-frame"])
    try:
        p.until(lambda: p.screen.text().strip(), "the first frame")
        first = time.monotonic() - start
        p.until(lambda: " RUN " in p.row(0), "the game to run")
        waits = []
        for i in range(60):
            digit, title = (("9", "Log, "), ("6", "Options"))[i % 2]
            begin = time.monotonic()
            p.type(digit)
            p.sees(title)
            waits.append(time.monotonic() - begin)
        waits.sort()
        print("first frame %.0f ms; key to frame: median %.1f ms, worst %.1f ms"
              % (1e3 * first, 1e3 * waits[30], 1e3 * waits[-1]))
        p.type(":quit discard\r")
        assert p.wait() == 0
    finally:
        p.close()


if __name__ == "__main__":
    ptylib.main([test_headless_result, test_no_terminal_means_headless, test_facts_without_a_screen, test_dumb_terminal,
                 test_unknown_terminal, test_signals, test_closed_pipe, test_resume_is_exact, test_wrong_usage,
                 test_failures, test_hostile_text, test_one_way_out, test_full_disk, test_help, test_manual, test_generate, test_training_verbs, test_training_interrupted,
                 test_preferences, test_sample_data_elsewhere, test_first_frame_and_keys])
