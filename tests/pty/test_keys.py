#!/usr/bin/env python3
"""What keys and typed commands do, seen on the screen of the real program."""
import base64
import json
import os
import random
import re

import ptylib


def on_game(name, cols=100, rows=30, **kw):
    """Decorator: run the check on a game of its own and discard it."""
    def wrap(check):
        def test(world):
            p = world.game("keys-" + name, cols=cols, rows=rows, **kw)
            try:
                check(world, p)
                p.type(":quit discard\r")
                assert p.wait() == 0
                p.sane()
            finally:
                p.close()
        test.__name__ = "test_" + name
        return test
    return wrap


@on_game("views")
def views(world, p):
    titles = {"1": "The game", "2": "Which answer", "3": "Pairs", "6": "Options", "9": "Log"}
    for digit, title in titles.items():
        p.type(digit)
        p.until(lambda: title in p.screen.text() or "nothing to label" in p.screen.text().lower(), "view %s" % digit)
    p.type("4")
    p.sees("there is no view 4")
    p.type(":goto log\r")
    p.sees("Log, ")


@on_game("help")
def help_overlay(world, p):
    p.type("?")
    p.sees("In every view")
    p.type("/undo\r")
    p.sees("take back my last label")
    p.gone("pause the run")
    p.key("Esc")
    p.gone("take back my last label")
    p.type("?/freeze the\r")  # Enter on a line runs it
    p.sees("freeze the display")
    p.key("Enter")
    p.sees("DISPLAY FROZEN")
    p.type("Z")
    p.gone("DISPLAY FROZEN")
    p.key("F1")
    p.sees("In every view")
    p.type("q")
    p.gone("In every view")


@on_game("set")
def set_option(world, p):
    p.type(":se")
    p.sees("set NAME VALUE")  # the hint while typing
    p.key("Tab")
    p.type("beta ")
    p.sees("(default 10, 0 .. 1e+06)")
    p.type("12\r")
    p.sees("beta 12")
    p.type(":set beta?\r")
    p.sees("changed in this run")
    p.type(":set beta -1\r")
    p.sees("found -1")
    p.settle()
    assert "found -1" in p.row(29), "an error stays until the next key"
    p.type("1")
    p.gone("found -1")
    p.type(":set nothing 1\r")
    p.sees("nothing")
    p.type(":set seed 3\r")  # fixed when the run starts
    p.until(lambda: "seed" in p.row(29), "the refusal")
    p.type(":no-such\r")
    p.sees("there is no command")


@on_game("completion")
def completion(world, p):
    p.type(":wr")
    p.key("Tab")
    p.sees(":write-config")
    p.key("Esc")
    p.gone(":write-config")
    p.type(":set game.desc")
    p.key("Tab")
    p.sees(":set game.descent")
    p.key("Tab")
    p.sees("exact  sampled")
    p.type("s")
    p.key("Tab")
    p.sees(":set game.descent sampled")
    p.key("C-u")
    p.gone("game.descent")
    p.type("gate t")
    p.key("Tab")
    p.sees(":gate train")
    p.key("C-a")
    p.until(lambda: p.screen.x == 1, "the cursor at the start of the line")
    p.key("C-c")
    p.gone(":gate")


@on_game("wide")
def wide_characters(world, p):
    p.type(":日本e\u0301x")
    p.sees("日本")
    p.until(lambda: (p.screen.y, p.screen.x) == (29, 7), "the cursor behind 1 + 2*2 + 1 + 1 cells")
    p.key("Left")
    p.until(lambda: p.screen.x == 6, "the cursor on x")
    p.key("Left")
    p.until(lambda: p.screen.x == 5, "the cursor on the accented letter")
    p.key("Left")
    p.until(lambda: p.screen.x == 3, "the cursor on the second wide character")
    p.key("BS")
    p.gone("日")
    p.until(lambda: p.screen.x == 1, "the cursor at the start")
    p.key("Esc")


@on_game("long", cols=40, rows=12)
def long_line(world, p):
    p.type(":save-screen " + "a" * 60 + "b")
    p.until(lambda: p.row(11).endswith("ab") and p.row(11).startswith("<"), "the end of the line")
    p.key("C-a")
    p.until(lambda: p.row(11).startswith(":save-screen a") and p.screen.x == 1, "the start of the line")
    p.key("Esc")


@on_game("rows", cols=80, rows=24)
def long_texts(world, p):
    """What does not fit on a row takes more rows: candidates, messages, help."""
    p.type(":set ")
    p.key("Tab")
    p.until(lambda: p.row(19).startswith("beta  ") and "game.policy_epochs" in p.row(21) and p.row(22) and
            p.row(23) == ":set", "rows of candidates above the line")
    p.key("Esc")
    p.gone("game.policy_epochs")
    p.type(":save-screen missing/%s-end\r" % ("a" * 60))
    p.until(lambda: p.row(22).startswith("missing/") and "No such file" in p.row(22) + p.row(23),
            "a message on two rows")
    p.type("?")
    p.sees("gaps with their intervals,")
    p.sees("student, the newest pair.")
    p.key("Esc")


@on_game("history")
def history(world, p):
    p.type(":set zeta 0.02\r")
    p.sees("zeta 0.01 -> 0.02")
    p.type(":")
    p.key("Up")
    p.sees(":set zeta 0.02")
    p.key("Esc")
    p.type("/something\r")
    p.type(":")
    p.key("Up")
    p.sees(":set zeta 0.02")  # searches stay out of it
    p.key("Esc")
    second = world.game("keys-history-2")
    try:
        second.type(":")
        second.key("Up")  # the other session's lines
        second.key("Up")
        second.until(lambda: any(t in second.row(29) for t in ("set zeta 0.02", "quit discard")), "a line of another")
        second.key("Esc")
        second.type(":quit discard\r")
        assert second.wait() == 0
    finally:
        second.close()


@on_game("no_search")
def no_search(world, p):
    """readline's searches and sequences after ^X do nothing in any prompt."""
    for prompt in ":/&":
        p.type(prompt + "a\x12b\x18>\x13c\x18d")
        p.until(lambda: p.row(29).startswith(prompt + "ab>cd"), "a plain line behind %s" % prompt)
        p.key("Esc")
        p.until(lambda: not p.row(29).startswith(prompt), "the prompt %s closed" % prompt)


@on_game("random_bytes")
def random_bytes(world, p):
    """Whatever is typed at a prompt. Without letters (they might spell quit) and the keys that leave or stop."""
    draw = random.Random(1)
    control = [c for c in range(1, 32) if c not in (3, 26, 28)]
    for _ in range(60):
        text = bytes(draw.choice(control) if draw.random() < 0.6 else draw.randrange(33, 64) for _ in range(40))
        os.write(p.master, b":" + text)
        p.settle(0.02)
        assert p.process.poll() is None, "the program ended after %r" % text
    for _ in range(4):  # out of a prompt, a panel shown alone, the help
        p.key("Esc")
        p.settle(0.1)
    p.type(":goto log\r")
    p.sees("Log, ")


@on_game("invalid_bytes")
def invalid_bytes(world, p):
    """A byte that is no character is dropped alone, in front of Enter too; one that arrives in parts is put together."""
    os.write(p.master, b":got\xffo lo\xc3g\r")
    p.sees("Log, ")
    os.write(p.master, b"\xe67")
    p.sees("there is no view 7")
    os.write(p.master, b":\xc3")
    p.settle()
    os.write(p.master, b"\xa9x")
    p.until(lambda: p.row(29) == ":\u00e9x", "a character in two parts")
    p.key("Esc")


def quits_at_once(name, before):
    """^\\ writes a checkpoint and leaves, whatever has the keyboard."""
    def test(world):
        p = world.game("keys-" + name)
        try:
            p.type(before)
            p.settle(0.2)
            p.type("\x1c")
            assert p.wait() == 131
            p.sane()
            assert os.listdir(os.path.join(world.path, "keys-" + name, "checkpoints"))
        finally:
            p.close()
    test.__name__ = "test_" + name
    return test


@on_game("pause")
def pause_and_step(world, p):
    p.type("p")
    p.sees(" PAUSED ")
    p.type("9")
    p.still(0.5, "while paused")
    p.type(".")
    p.until(lambda: " PAUSED " in p.row(0), "paused again")
    p.type("p")
    p.sees(" RUN ")


@on_game("freeze")
def freeze(world, p):
    p.type("Z")
    p.sees("DISPLAY FROZEN")
    before = p.still(1.0, "a frozen display")[:-1]
    p.type("Z")
    p.gone("DISPLAY FROZEN")
    p.until(lambda: p.screen.lines()[:-1] != before, "the display to follow the run again")


@on_game("beta")
def beta_keys(world, p):
    p.type("]")
    p.sees("12.5")
    p.type("[")
    p.until(lambda: "beta 10" in p.row(0) and "12.5" not in p.row(0), "beta back at 10")
    p.type("p")
    p.sees(" PAUSED ")
    p.type("]]")  # presses add up while nothing takes effect
    p.sees("15.6")


@on_game("checkpoint")
def checkpoint(world, p):
    p.type("C")
    folder = os.path.join(world.path, "keys-checkpoint", "checkpoints")
    p.until(lambda: os.path.isdir(folder) and any(not n.endswith(".tmp") for n in os.listdir(folder)), "a checkpoint")


@on_game("files")
def files(world, p):
    p.type("1")
    p.sees("The game")
    p.type(":save-screen screen.txt\r")
    p.sees("the screen is in screen.txt")
    with open(os.path.join(world.path, "screen.txt"), encoding="utf-8") as f:
        assert "The game" in f.read()
    p.type(":write-config again.json\r")
    p.sees("again.json")
    world.run(["run", "again.json", "--headless", "--run-dir", "again", "--set", "iterations=0"])
    p.type(":export trl\r")
    p.sees("export trl FILE")
    p.until(lambda: re.search(r"t [2-9]/", p.row(0)), "some pairs")
    p.type(":export trl pairs.jsonl\r")
    p.sees("lines in pairs.jsonl")
    p.type(":save-screen missing/x\r")
    p.sees("missing/x")


@on_game("sizes")
def sizes(world, p):
    for cols, rows in ((200, 60), (80, 24), (40, 10), (20, 5), (19, 4), (10, 1), (100, 30)):
        p.resize(cols, rows)
        p.until(lambda: "RUN" in p.row(0), "the state at %dx%d" % (cols, rows))
        for digit in "12369":
            p.type(digit)
        p.settle(0.2)
        assert p.process.poll() is None
    p.until(lambda: "? help" in p.row(28), "the whole screen again")


@on_game("redraw")
def redraw(world, p):
    """What changes on the screen a bit at a time must be what a screen drawn anew shows."""
    p.until(lambda: re.search(r"t [2-9]/", p.row(0)), "something drawn over something else")
    p.type("p")
    p.sees(" PAUSED ")
    for view in "91":
        p.type(view)
        before = p.still(0.5, "while paused")
        p.screen.resize(100, 30)  # the terminal lost everything
        p.key("C-l")
        p.until(lambda: p.screen.lines()[1:29] == before[1:29], "the same screen again")


@on_game("mouse")
def mouse(world, p):
    assert b"1000h" not in p.raw, "the mouse is on at the start"
    p.type("M")
    p.sees("mouse on")
    p.until(lambda: b"1000h" in p.raw, "the mouse on in the terminal")
    p.type("M")
    p.sees("mouse off")
    p.until(lambda: p.raw.rfind(b"1000l") > p.raw.rfind(b"1000h"), "the mouse off in the terminal")


@on_game("no_color", env={"NO_COLOR": "1"})
def no_color(world, p):
    for digit in "12369":
        p.type(digit)
    p.settle(0.5)
    colours = [s for s in p.screen.sgr if re.search(r"(^|;)(3[0-8]|4[0-8])(;|$)", s)]
    assert not colours, "colours in spite of NO_COLOR: %r" % colours[:5]


@on_game("cube")
def cube_colours(world, p):
    for digit in "12369":
        p.type(digit)
    p.settle(0.5)
    p.until(lambda: any("38;5;" in s for s in p.screen.sgr), "colours")
    used = {int(n) for s in p.screen.sgr for n in re.findall(r"38;5;(\d+)", s)}
    assert all(16 <= n <= 231 for n in used), "colours outside the cube: %r" % sorted(used)
    assert not any(re.search(r"48;5", s) for s in p.screen.sgr), "a background colour"


@on_game("plain_locale", env={"LANG": "C"})
def plain_locale(world, p):
    p.type("123691?")
    p.settle(0.5)
    p.type("q")
    assert all(b < 128 for b in p.raw), "bytes outside ASCII in the C locale"


@on_game("hostile")
def hostile_output(world, p):
    """Whatever the half-trained models write, no control byte of theirs reaches the terminal."""
    p.type("3")
    p.until(lambda: re.search(r"t [2-9]/", p.row(0)), "some pairs")
    p.settle(0.5)
    text = p.raw.decode("utf-8", "replace")
    text = text[:len(text) - len(p.screen.tail)]  # a sequence that has not arrived in full
    text = ptylib.TOKEN.sub(lambda m: m.group(6) or (m.group(5) or "").strip("\r\n\b\t\x0e\x0f"), text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", text), "control characters in the output"


@on_game("labels")
def labels(world, p):
    """A vote is stored before the screen says so; undo works; the exports know."""
    p.type("2")
    p.sees("Which answer is better?")
    p.settle(0.4)  # keys typed ahead of a pair do not vote
    p.type("a")
    p.sees("saved")
    p.until(lambda: "labels 1" in p.row(0), "the label in the header")
    stats = json.loads(world.run(["prefs", "stats", "keys-labels", "--json"]).stdout)
    assert stats["events"] == 1 and stats["by_source"]["human"] == 1, stats
    p.settle(0.4)
    p.type("u")
    p.until(lambda: "labels 0" in p.row(0), "the label taken back")
    stats = json.loads(world.run(["prefs", "stats", "keys-labels", "--json"]).stdout)
    assert stats["events"] == 2 and stats["by_source"]["human"] == 0, stats


def events(world, run_dir):
    """Label events of a run as they stand on disk."""
    world.run(["prefs", "export", run_dir, "--format", "audit", "-o", "events.jsonl"])
    with open(os.path.join(world.path, "events.jsonl"), encoding="utf-8") as f:
        return [e for e in map(json.loads, f) if "decision" in e]


@on_game("redo")
def redo(world, p):
    """What u takes back U gives again, with the same contents; a new label ends that."""
    p.type("U")
    p.sees("nothing to give again")
    p.type("2")
    for key in "ab":
        p.sees("Which answer is better?")
        p.settle(0.9)
        p.type(key)
        p.sees("saved")
    p.type("u")
    p.sees("(U gives it again)")
    p.type(":undo\r")
    p.until(lambda: "labels 0" in p.row(0), "both labels taken back")
    p.type("U")
    p.sees("(A) given again")
    p.type(":redo\r")
    p.sees("(B) given again")
    p.until(lambda: "labels 2" in p.row(0), "both labels again")
    e = events(world, "keys-redo")
    assert [x["decision"] for x in e] == ["A", "B", "undo", "undo", "A", "B"], e
    for old, new in ((e[0], e[4]), (e[1], e[5])):
        differ = {k for k in old if old[k] != new[k]}
        assert differ <= {"seq", "time", "used_tick"}, differ
    p.type("u")
    p.sees("(U gives it again)")
    p.settle(0.9)
    p.type("t")
    p.sees("saved")
    p.type("U")
    p.sees("nothing to give again")


@on_game("votes")
def typed_votes(world, p):
    p.type(":label a\r")
    p.sees("go there first")
    p.type("2")
    p.sees("Which answer is better?")
    p.settle(0.4)
    p.type(":label much")
    p.key("Tab")
    p.sees("much-a  much-b")
    p.type("b\r")
    p.sees("saved")
    p.sees("Which answer is better?")
    p.settle(0.4)
    p.type(":label nothing\r")
    p.sees('there is no label "nothing"')
    e = events(world, "keys-votes")
    assert len(e) == 1 and e[0]["decision"] == "B" and e[0]["strength"] == 2, e


def clipboard(p):
    """The text of the last OSC 52 sequence."""
    found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", p.raw)
    return base64.b64decode(found[-1]).decode() if found else None


@on_game("yank")
def yank(world, p):
    p.type("6y")
    p.sees("and its value (")
    assert re.fullmatch(r"[a-z_.]+=.*", clipboard(p)), clipboard(p)
    p.type("3")
    p.until(lambda: re.search(r"t [2-9]/", p.row(0)), "some pairs")
    p.type("pjy")
    p.sees("prompt and both answers (")
    assert re.fullmatch(r"prompt:\n.+\n\nteacher:\n.*\n\nstudent:\n.*\n", clipboard(p), re.S), clipboard(p)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", clipboard(p)), "control characters in the clipboard"
    p.type(":yank\r")
    p.sees("prompt and both answers (")


@on_game("filter")
def filter_command(world, p):
    p.type("9:filter no-such-line\r")
    p.sees("no line passes the filter")
    p.type(":filter\r")
    p.gone("no line passes the filter")


@on_game("source")
def source(world, p):
    world.write("good.pbkd", "# a comment\n\nfilter\r\n  :goto log\nsource inner.pbkd\n")
    world.write("zeta.pbkd", "set zeta 0.03")
    world.write("inner.pbkd", "bind F2 freeze\n")
    world.write("bad.pbkd", "goto tune\n\nset beta -1\ngoto log\n")
    world.write("loop.pbkd", "source loop.pbkd\n")
    p.type(":source good.pbkd\r")
    p.sees("3 commands from good.pbkd")
    p.sees("Log, ")
    p.type(":source zeta.pbkd\r")
    p.sees("zeta 0.01 -> 0.03 at tick")
    p.type("\x1bOQ")  # F2
    p.sees("DISPLAY FROZEN")
    p.type("\x1bOQ")
    p.gone("DISPLAY FROZEN")
    p.type(":source bad.pbkd\r")
    p.sees("bad.pbkd:3: beta")
    p.sees("Options")  # the line after the error did not run
    p.type(":source missing\r")
    p.sees("missing: ")
    p.type(":source loop.pbkd\r")
    p.sees("loop.pbkd:1: loop.pbkd:1: ")


@on_game("bind")
def bind(world, p):
    p.type(":bind F3 pau")
    p.key("Tab")
    p.type("\r")
    p.sees("F3: pause")
    p.type("\x1bOR")
    p.sees(" PAUSED ")
    p.type("?")
    p.sees("Bound in this session")
    p.key("Esc")
    p.type(":bind p none\r")
    p.sees("p: none")
    p.type("p")
    p.settle(0.5)
    assert " PAUSED " in p.row(0), "a key bound to nothing does something"
    p.type(":bind p default\r")
    p.sees("p: default")
    p.type("p")
    p.sees(" RUN ")
    p.type(":bind : quit\r")
    p.sees(": cannot be bound")


def test_rc(world):
    """The rc file runs by itself; a fault in it is said and keeps nothing from starting."""
    config = os.path.join(world.path, "config", "pbkd")
    os.makedirs(config)
    rc = os.path.join(config, "rc")
    try:
        for text, seen in (("goto log\nbind F2 freeze\n", "2 commands from "), ("goto log\nbind\n", "rc:2: bind KEY")):
            with open(rc, "w") as f:
                f.write(text)
            p = world.start(["run", "game.json", "--run-dir", "keys-rc-%d" % len(text)], cols=160)
            try:
                p.sees(seen)
                p.sees("Log, ")
                p.until(lambda: " RUN " in p.row(0), "the game to run")
                p.type(":quit discard\r")
                assert p.wait() == 0
                p.sane()
            finally:
                p.close()
    finally:
        os.remove(rc)


def editor(world, name, script):
    path = os.path.join(world.path, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)
    return path


def test_editor(world):
    """A note is written in $EDITOR, which gets a cooked terminal and the main screen; the game goes on meanwhile."""
    edit = editor(world, "edit", 'stty -a >"$0.stty"; printf "seen\\n" >"$1"; sleep 0.3\n')
    p = world.game("keys-editor", env={"VISUAL": "", "EDITOR": edit})
    try:
        p.type("2")
        p.sees("Which answer is better?")
        p.settle(0.4)
        p.type("n")
        p.until(lambda: os.path.exists(edit + ".stty"), "the editor")
        p.sees("saved")
        with open(edit + ".stty") as f:
            words = f.read().replace(";", " ").split()
        assert "icanon" in words and "echo" in words and "isig" in words, words
        stats = json.loads(world.run(["prefs", "stats", "keys-editor", "--json"]).stdout)
        assert stats["events"] == 1, stats
        world.run(["prefs", "export", "keys-editor", "--format", "audit", "-o", "audit.jsonl"])
        with open(os.path.join(world.path, "audit.jsonl"), encoding="utf-8") as f:
            assert any('"seen"' in line for line in f), "the note's text is not in the record"
        p.type(":quit discard\r")
        assert p.wait() == 0
        p.sane()
    finally:
        p.close()


def test_editor_fails(world):
    p = world.game("keys-editor-2", env={"VISUAL": editor(world, "fails", "exit 3\n")})
    try:
        p.type("2")
        p.sees("Which answer is better?")
        p.settle(0.4)
        p.type("n")
        p.sees("the editor failed")
        p.type(":quit discard\r")
        assert p.wait() == 0
        p.sane()
    finally:
        p.close()


def test_people_label(world):
    """With labeller human the game waits for labels, and goes on when there are enough."""
    p = world.start(["run", "game.json", "--run-dir", "keys-people", "--set", "labeller=human", "--set",
                     "labeller.min_labels=3"])
    try:
        p.until(lambda: " WAITING " in p.row(0), "the game to wait for labels")
        p.type("2")
        p.sees("Which answer is better?")
        for i in range(3):
            p.settle(0.5)
            p.type("ab"[i % 2])
            p.until(lambda: "labels %d" % (i + 1) in p.row(0), "label %d" % (i + 1))
        p.until(lambda: " WAITING " not in p.row(0), "the game to go on")
        p.type(":quit discard\r")
        assert p.wait() == 0
        p.sane()
    finally:
        p.close()


def test_ascii_flag(world):
    p = world.game("keys-ascii", "--ascii")
    try:
        p.type("1")
        p.sees("The game")
        p.settle(0.5)
        assert all(b < 128 for b in p.raw), "characters outside ASCII in spite of --ascii"
        p.type(":quit discard\r")
        assert p.wait() == 0
    finally:
        p.close()


def test_start_screen(world):
    empty = os.path.join(world.path, "empty")
    os.makedirs(empty)
    p = world.start([])
    p.close()
    p = ptylib.Program([], cwd=empty, env={"XDG_STATE_HOME": empty, "XDG_CONFIG_HOME": empty})
    try:
        p.sees("There is no run under runs/ yet.")
        p.type("?")
        p.sees("In every view")
        p.key("Esc")
        p.type(":pause\r")
        p.sees("pause needs a run")
        p.type("r")
        p.sees(":run ")
        p.type("missing.json\r")
        p.sees("missing.json: ")
        for key in "123456789/&np.Z[]uCMk":
            p.type(key)
        p.key("Esc")
        p.type(":run ../game.json\r")
        p.until(lambda: " RUN " in p.row(0), "the game to run")
        p.type(":quit save\r")
        assert p.wait() == 0
        p.sane()
        assert len(os.listdir(os.path.join(empty, "runs"))) == 1
    finally:
        p.close()
    p = ptylib.Program([], cwd=empty, env={"XDG_STATE_HOME": empty, "XDG_CONFIG_HOME": empty})
    try:
        p.until(lambda: " RUN " in p.row(0), "the newest run to go on")
        p.type(":quit discard\r")
        assert p.wait() == 0
    finally:
        p.close()


if __name__ == "__main__":
    ptylib.main([views, help_overlay, set_option, completion, wide_characters, long_line, long_texts, history, no_search, random_bytes, invalid_bytes,
                 quits_at_once("abort", "1"), quits_at_once("abort_typing", ":set beta "),
                 quits_at_once("abort_search", "/"), quits_at_once("abort_help", "?"), quits_at_once("abort_question", "q"),
                
                 pause_and_step, freeze, beta_keys, checkpoint, files, sizes, redraw, mouse, no_color, cube_colours,
                 plain_locale, hostile_output, labels, redo, typed_votes, yank, filter_command, source, bind, test_rc,
                 test_editor, test_editor_fails, test_people_label, test_ascii_flag, test_start_screen])
