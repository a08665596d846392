#!/usr/bin/env python3
"""Add up what the test projects reported: one line for each, then every failure, then the sum.

The folder holds for each project NAME.trx (its results), NAME.log (what it printed) and NAME.exit (the exit
code of its run) and NAME.seconds (how long that took).  A run that broke off counts as one failure more, however good its results look.
"""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

TRX = "{http://microsoft.com/schemas/VisualStudio/TeamTest/2010}"
MESSAGE_LINES = 40
LOG_LINES = 60


def results_of(trx):
    """Yields (outcome, full name, message) of each test."""
    try:
        document = ElementTree.parse(trx).getroot()
    except (FileNotFoundError, ElementTree.ParseError):
        return  # nothing ran, or the run broke off while it wrote
    classes = {
        test.get("id"): test.find(TRX + "TestMethod").get("className")
        for test in document.iter(TRX + "UnitTest")
    }
    for result in document.iter(TRX + "UnitTestResult"):
        parts = [part.text or "" for tag in ("Message", "StackTrace") for part in result.iter(TRX + tag)]
        name = "%s.%s" % (classes.get(result.get("testId"), "?"), result.get("testName"))
        yield result.get("outcome"), name, "\n".join(parts)


def minutes_of(seconds_file):
    return int(seconds_file.read_text()) / 60 if seconds_file.exists() else 0


def last_lines(text, count):
    lines = text.rstrip().splitlines()
    return lines if len(lines) <= count else ["..."] + lines[-count:]


def first_lines(text, count):
    lines = text.rstrip().splitlines()
    return lines if len(lines) <= count else lines[:count] + ["..."]


def main():
    folder = pathlib.Path(sys.argv[1])
    passed = failed = skipped = 0
    failures = []
    for exit_file in sorted(folder.glob("*.exit")):
        project = exit_file.stem
        outcomes = list(results_of(folder / (project + ".trx")))
        bad = [(name, first_lines(text, MESSAGE_LINES)) for outcome, name, text in outcomes
               if outcome not in ("Passed", "NotExecuted")]
        good = sum(outcome == "Passed" for outcome, _, _ in outcomes)
        left_out = len(outcomes) - good - len(bad)
        code = int(exit_file.read_text())
        if code != 0 and not bad:
            log = (folder / (project + ".log")).read_text(errors="replace")
            ended = "did not end in time" if code in (124, 137) else "broke off, or failed outside of its tests, with exit code %d" % code
            bad.append(("%s %s" % (project, ended), last_lines(log, LOG_LINES)))
        elif code in (124, 137):
            bad.append(("%s did not end in time" % project, []))
        if outcomes or bad:
            print("%s: %d passed, %d failed%s, %.1f min" % (
                project, good, len(bad), ", %d left out" % left_out if left_out else "", minutes_of(folder / (project + ".seconds"))))
        passed, failed, skipped = passed + good, failed + len(bad), skipped + left_out
        failures += bad

    for name, message in failures:
        print("\nFAILED %s" % name)
        for line in message:
            print("    " + line)
    if passed + failed == 0:
        print("no test ran")
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
