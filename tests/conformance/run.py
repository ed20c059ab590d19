#!/usr/bin/env python3
"""Runs Autobahn's cases against echo.rs (`make conformance`): kosoku, from PyPI, brings and runs them.

Every case has to pass, but for those listed here, which have to end exactly as it says here. What is
listed and passes is a failure, too: then the list says something that is not true any more.
"""

import fnmatch
import json
import pathlib
import subprocess
import sys
import venv

KOSOKU = "kosoku==0.1.0"
# All cases together take 15 s; building and fetching come before.
WITHIN_SECONDS = 300

TOO_BIG = "the message is larger than 64 KiB (PROTOCOL.md, Limits): closed with 1009"
NO_DEFLATE = (
    "permessage-deflate is not offered: a context of up to 300 KiB for each socket, to save bytes on messages of 100"
)
LATE_1007 = (
    "what is not UTF-8 is found at the end of its frame, not at its first byte; RFC 6455 (8.1) does not say when"
)
OPEN_END = "RFC 6455 leaves it open; Autobahn only notes what happened"

# Case or pattern: its behavior, its close code, the reason.
LISTED = {
    **{
        pattern: ("FAILED", 1009, TOO_BIG)
        for pattern in ["9.1.[2-6]", "9.2.[2-6]", "9.3.*", "9.4.*", "9.5.*", "9.6.*"]
    },
    "12.*": ("UNIMPLEMENTED", 1000, NO_DEFLATE),
    "13.*": ("UNIMPLEMENTED", 1000, NO_DEFLATE),
    "6.4.[34]": ("NON-STRICT", 1007, LATE_1007),
    "7.1.6": ("INFORMATIONAL", 1009, OPEN_END + ": 256 KiB, a Close and a Ping at once"),
    "7.13.[12]": ("INFORMATIONAL", 1002, OPEN_END + ": close codes of no registered range"),
}


def main() -> None:
    metadata = subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"])
    target = pathlib.Path(json.loads(metadata)["target_directory"])
    kosoku = installed(target / "conformance")
    report = target / "conformance" / "report"

    echo = ["cargo", "run", "--quiet", "--locked", "--example", "echo"]
    with subprocess.Popen(echo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().strip()
        if not address:
            sys.exit("the echo did not start")
        # It counts what is listed here as failed: its own verdict is not asked for.
        ran = subprocess.run(
            [kosoku, address, "--outdir", report], timeout=WITHIN_SECONDS, capture_output=True, text=True
        )
        server.stdin.close()
    if "wrote reports" not in ran.stdout:
        sys.exit(f"kosoku did not finish:\n{ran.stdout}\n{ran.stderr}")
    (cases,) = json.loads((report / "index.json").read_text()).values()
    judge(cases)


def installed(venv_dir: pathlib.Path) -> pathlib.Path:
    kosoku = venv_dir / "bin" / "kosoku"
    if not kosoku.exists():
        venv.create(venv_dir, clear=True, with_pip=True)
        pip = [venv_dir / "bin" / "python3", "-m", "pip", "install", "--quiet", KOSOKU]
        subprocess.run(pip, check=True, timeout=WITHIN_SECONDS)
    return kosoku


def judge(cases: dict) -> None:
    wrong, passed, seen = [], 0, {pattern: 0 for pattern in LISTED}
    for case, outcome in cases.items():
        got = (outcome["behavior"], outcome["remoteCloseCode"])
        pattern = next((p for p in LISTED if fnmatch.fnmatchcase(case, p)), None)
        if pattern:
            seen[pattern] += 1
            if got != LISTED[pattern][:2]:
                wrong.append(f"{case}: {got}, listed as {LISTED[pattern][:2]}")
        elif (outcome["behavior"], outcome["behaviorClose"]) == ("OK", "OK"):
            passed += 1
        else:
            wrong.append(f"{case}: {outcome['behavior']}, on closing {outcome['behaviorClose']}")
    wrong += [f"{pattern}: no such case" for pattern, count in seen.items() if not count]

    print(f"{len(cases)} cases, {passed} passed. Listed:")
    for pattern, (behavior, code, why) in LISTED.items():
        print(f"  {pattern:10} {seen[pattern]:3}  {behavior}, {code}: {why}")
    if wrong:
        sys.exit("\n".join([f"{len(wrong)} are not as they should be:", *wrong]))


main()
