"""PocketSphinx on synthesised sentences, programs as recognizers, and making DeepSpeech."""

import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pocketsphinx
import pytest
from seeds import seed_networks
from wideband import audio
from wideband.command import UserError
from wideband.data_gen import synthesize
from wideband.evaluate import words
from wideband.evaluate.words import deepspeech
from wideband.evaluate.words.base import RecognitionError

# Speech recognizers.
pytestmark = pytest.mark.slow

SENTENCES = ("Please dial three five nine.", "The brave sailor moved two boxes.")
GRAMMAR = """#JSGF V1.0;
grammar sentences;
<digit> = two | three | five | nine;
public <sentence> = please dial <digit>+ | the brave (sailor | baker) moved <digit> boxes;
"""


def say(name, text):
    """Synthesises a text with a voice of the demo corpus, at 16 kHz."""
    voice = next(voice for voice in synthesize.VOICES if voice.name == name)
    with synthesize.start_espeak() as speak:
        return audio.resample(*speak(voice, text), 16000)


@pytest.fixture(scope="module")
def speech():
    return [say("leo", sentence) for sentence in SENTENCES]


@pytest.fixture(scope="module")
def grammar(tmp_path_factory):
    path = tmp_path_factory.mktemp("grammar") / "sentences.jsgf"
    path.write_text(GRAMMAR)
    return str(path)


@pytest.fixture(scope="module")
def guided(grammar):
    return words.create("pocketsphinx", grammar=grammar)


def test_pocketsphinx_recognizes_sentences_of_its_grammar(guided, speech):
    assert list(guided.transcribe(speech)) == [
        "please dial three five nine",
        "the brave sailor moved two boxes",
    ]
    assert guided.name.startswith("pocketsphinx 5.")
    assert guided.name.endswith("en-us, grammar sentences.jsgf")


def decode_alone(grammar, wave):
    """Returns the text of a new decoder for a whole wave."""
    decoder = pocketsphinx.Decoder(lm=None, jsgf=grammar, bestpath=False, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(np.rint(wave * 32768).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    return decoder.hyp().hypstr


def test_the_text_of_pocketsphinx_depends_on_its_recording_alone(tmp_path):
    """It depends neither on the recordings before nor on the process."""
    grammar = tmp_path / "digits.jsgf"
    digits = "zero | one | two | three | four | five | six | seven | eight | nine"
    grammar.write_text(f"#JSGF V1.0;\ngrammar digits;\npublic <digits> = ({digits})+;\n")
    lines = {
        "leo": "three, five, nine.",
        "gus": "seven, two, zero.",
        "anna": "Please dial three five nine.",
        "egon": "seven two zero.",
    }
    waves = [say(voice, text) for voice, text in lines.items()]
    expected = [decode_alone(str(grammar), wave) for wave in waves]
    assert len(set(expected)) == 4
    recognizer = words.create("pocketsphinx", grammar=str(grammar))
    one_by_one = [next(iter(recognizer.transcribe([wave]))) for wave in waves]
    assert one_by_one == expected
    assert list(recognizer.transcribe(waves[::-1] * 2)) == expected[::-1] * 2


def test_pocketsphinx_runs_in_one_process_per_core(grammar, speech):
    """Threads would wait for each other: a decoder holds Python's global lock."""
    before = set(multiprocessing.active_children())
    recognizer = words.create("pocketsphinx", grammar=grammar)
    list(recognizer.transcribe(speech))
    assert len(set(multiprocessing.active_children()) - before) == os.cpu_count()


def test_a_killed_process_of_pocketsphinx_is_reported_in_one_line(grammar, speech):
    before = set(multiprocessing.active_children())
    recognizer = words.create("pocketsphinx", grammar=grammar)
    texts = recognizer.transcribe(speech[:1] * 50)
    next(texts)
    for process in set(multiprocessing.active_children()) - before:
        process.kill()
    with pytest.raises(UserError, match=r"a process of pocketsphinx .* was killed") as caught:
        list(texts)
    assert "\n" not in str(caught.value)


def test_pocketsphinx_recognizes_english_without_a_grammar(speech):
    english = words.create("pocketsphinx")
    text = next(iter(english.transcribe(speech[:1])))
    assert text
    # Words outside the grammar.
    assert text not in ("please dial three five nine", "the brave sailor moved two boxes")
    assert "grammar" not in english.name


def test_an_empty_or_very_short_wave_has_an_empty_text(guided):
    waves = [np.zeros(n, np.float32) for n in (0, 1, 399, 410)]
    assert list(guided.transcribe(waves)) == [""] * 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#JSGF V1.0;\ngrammar a;\npublic <a> = hello xyzzyq;\n", "The word 'xyzzyq' is missing"),
        ("#JSGF V1.0;\ngrammar a;\npublic <a> = hello (;\n", "syntax error"),
        ("#JSGF V1.0;\ngrammar a;\n<a> = hello;\n", "No public rules"),
        ("", "syntax error"),
        (None, "there is no such grammar"),
    ],
)
def test_a_grammar_that_cannot_be_used_is_refused_with_the_reason(tmp_path, text, message):
    path = tmp_path / "bad.jsgf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        words.create("pocketsphinx", grammar=str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def program(tmp_path, source):
    """Returns the command line of a Python script in a folder whose name needs quotes."""
    path = tmp_path / "my programs" / "recognize.py"
    path.parent.mkdir()
    path.write_text(source)
    return shlex.join([sys.executable, str(path)])


def transcribe(command, waves, **settings):
    return list(words.create(f"cmd:{command}", **settings).transcribe(waves))


def test_a_program_gets_wav_files_of_16_bits_and_16_khz_and_texts_keep_their_order(tmp_path):
    # Later waves are finished earlier.
    command = program(
        tmp_path,
        "import sys, time, wave\n"
        "with wave.open(sys.argv[1]) as file:\n"
        "    time.sleep(0.4 - file.getnframes() / 1000)\n"
        "    print(file.getnframes(), *file.getparams()[:3], file.readframes(1).hex())\n",
    )
    waves = [np.full(n, 0.5, np.float32) for n in (100, 200, 300)]
    assert transcribe(command, waves) == [f"{n} 1 2 16000 0040\n" for n in (100, 200, 300)]


def test_the_path_replaces_the_braces_or_is_appended(tmp_path):
    command = program(tmp_path, "import sys\nprint(*sys.argv[1:], sep='|')\n")
    wave = [np.zeros(10, np.float32)]
    arguments = transcribe(f"{command} --file={{}} -x", wave)[0].strip().split("|")
    assert [arguments[0][:8], arguments[0][-4:], arguments[1]] == ["--file=/", ".wav", "-x"]
    assert len(arguments) == 2
    arguments = transcribe(f"{command} 'a b'", wave)[0].strip().split("|")
    assert [arguments[0], arguments[1][-4:], len(arguments)] == ["a b", ".wav", 2]


def test_the_command_line_does_not_pass_through_a_shell(tmp_path):
    command = program(tmp_path, "import sys\nprint(*sys.argv[1:-1], sep='|')\n")
    text = transcribe(f"{command} $HOME ; touch {tmp_path}/touched", [np.zeros(10, np.float32)])
    assert text == [f"$HOME|;|touch|{tmp_path}/touched\n"]
    assert not (tmp_path / "touched").exists()


def test_the_file_of_a_program_is_removed_afterwards(tmp_path):
    command = program(tmp_path, "import sys\nprint(sys.argv[1])\n")
    [path] = transcribe(command, [np.zeros(10, np.float32)])
    assert path.strip().endswith(".wav")
    assert not Path(path.strip()).parent.exists()


@pytest.mark.parametrize(
    ("source", "seconds", "message"),
    [
        ("import sys\nprint('reading')\nsys.exit('no model')", 600, "exit code 1: no model"),
        ("import sys\nprint('bad file')\nsys.exit(3)", 600, "exit code 3: bad file"),
        ("import sys\nsys.exit(2)", 600, "exit code 2: no output"),
        ("import os\nos.abort()", 600, "failed with signal 6 (Aborted): no output"),
        ("import time\ntime.sleep(600)", 0.5, "took more than 0.5 seconds; set --timeout_seconds"),
    ],
)
def test_a_program_that_fails_or_takes_too_long_is_reported_in_one_line(
    tmp_path, source, seconds, message
):
    command = program(tmp_path, source)
    [error] = transcribe(command, [np.zeros(10, np.float32)], timeout_seconds=seconds)
    assert isinstance(error, RecognitionError)
    assert message in str(error)
    assert str(error).startswith("cmd:")
    assert "\n" not in str(error)


# Starts a process that runs as long as itself, and writes its number.
STARTS_ANOTHER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
with open({path!r}, "w") as file:
    file.write(str(child.pid))
time.sleep(1000)
"""


def is_running(pid):
    """Says whether a process runs; a killed one may wait for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition):
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, "waited for ten minutes"
        time.sleep(0.02)


def has_content(path):
    return path.is_file() and path.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path):
    path = tmp_path / "child"
    command = program(tmp_path, STARTS_ANOTHER.format(path=str(path)))
    # On a busy machine, a second may not suffice to start the other process.
    for seconds in (1, 10, 100):
        transcribe(command, [np.zeros(10, np.float32)], timeout_seconds=seconds)
        if has_content(path):
            break
    wait_until(lambda: not is_running(int(path.read_text())))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_signal_ends_the_programs_of_the_command(tmp_path):
    path = tmp_path / "child"
    command = program(tmp_path, STARTS_ANOTHER.format(path=str(path)))
    audio.write(tmp_path / "recordings" / "a.wav", np.zeros(100), 16000)
    (tmp_path / "texts.csv").write_text("path,text\na.wav,a\n")
    flags = [f"--transcripts={tmp_path}/texts.csv", f"--recordings={tmp_path}/recordings"]
    flags += [f"--recognizer=cmd:{command}", f"--output={tmp_path}/wer.csv"]
    process = subprocess.Popen([sys.executable, "-m", "wideband.evaluate.wer", *flags])
    wait_until(lambda: has_content(path))
    process.terminate()
    assert process.wait() == -signal.SIGTERM
    wait_until(lambda: not is_running(int(path.read_text())))


def test_programs_are_ended_if_their_texts_are_no_longer_wanted(tmp_path):
    """As after Ctrl-C: all but the first program would write a file after ten minutes."""
    command = program(
        tmp_path,
        "import sys, time, wave\n"
        "with wave.open(sys.argv[1]) as file:\n"
        "    time.sleep(file.getnframes())\n"
        "if file.getnframes():\n"
        f"    open({str(tmp_path / 'waited')!r}, 'w').close()\n",
    )
    waves = [np.zeros(n, np.float32) for n in (0, 600, 600, 600)]
    texts = words.create(f"cmd:{command}").transcribe(waves)
    assert next(texts) == ""
    texts.close()
    assert not (tmp_path / "waited").exists()


@pytest.mark.parametrize(("output", "text"), [("b''", ""), ("b'\\xff\\0 a'", "\ufffd\0 a")])
def test_a_program_may_print_nothing_or_bytes_that_are_no_text(tmp_path, output, text):
    command = program(tmp_path, f"import sys\nsys.stdout.buffer.write({output})\n")
    assert transcribe(command, [np.zeros(10, np.float32)]) == [text]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("siri", {}, "unknown recognizer 'siri'; choose one of .*whisper, .*cmd:COMMAND"),
        ("cmd", {}, "unknown recognizer 'cmd'"),
        ("pocketsphinx:x", {}, "unknown recognizer 'pocketsphinx:x'"),
        ("cmd:", {}, "has no command"),
        ("cmd:say 'hello", {}, "not a command line"),
        ("cmd:no-such-program {}", {}, "there is no program no-such-program"),
        ("cmd:echo", {"grammar": "x.jsgf"}, "--grammar does not apply to the recognizer cmd"),
        ("pocketsphinx", {"timeout_seconds": 1.0}, "--timeout_seconds does not apply"),
        ("whisper", {"grammar": "x.jsgf"}, "--grammar does not apply to the recognizer whisper"),
    ],
)
def test_an_unknown_recognizer_or_setting_is_refused(name, settings, message):
    with pytest.raises(UserError, match=message):
        words.create(name, **settings)


def test_deepspeech_is_loaded_from_a_run_folder(tmp_path):
    seed_networks(0)
    deepspeech.build(16).save_weights(tmp_path / deepspeech.WEIGHTS)
    (tmp_path / deepspeech.SIZES).write_text('{"hidden": 16}')
    recognizer = words.create("deepspeech", deepspeech_checkpoint=str(tmp_path))
    assert recognizer.name.startswith("deepspeech, ") and "beam 1024" in recognizer.name
    waves = [np.zeros(8000, np.float32), np.zeros(4000, np.float32)]
    assert len(list(recognizer.transcribe(waves))) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "deepspeech needs --deepspeech_checkpoint"),
        ({"deepspeech_checkpoint": "nowhere"}, "nowhere: there is no such checkpoint"),
        ({"deepspeech_checkpoint": ".", "scorer": "no.arpa"}, "there is no such language model"),
        ({"grammar": "a.jsgf"}, "--grammar does not apply to the recognizer deepspeech"),
    ],
)
def test_deepspeech_without_a_network_is_refused(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        words.create("deepspeech", **settings)
