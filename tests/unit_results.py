#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs `meson test` in a build folder and counts single tests, not test programs.

unit_results.py BUILD-FOLDER: a line for each test that failed or was skipped, then a last line PASSED FAILED SKIPPED.
Test programs that speak TAP (Criterion with --tap) count by their tests, others as one each.
"""
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as tree

folder = sys.argv[1]
report = os.path.join(folder, "meson-logs", "testlog.junit.xml")
if os.path.exists(report):
    os.unlink(report)
run = subprocess.run(["meson", "test", "-C", folder, "--no-rebuild", "--num-processes", "2"],
                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
if not os.path.exists(report):
    print(run.stdout)
    sys.exit("meson test wrote no report")

# The report has no reasons for what was skipped; the log has: "ok - NAME  # SKIP REASON".
log = os.path.join(folder, "meson-logs", "testlog.txt")
reasons = {}
if os.path.exists(log):
    with open(log, encoding="utf-8", errors="replace") as f:
        reasons = dict(re.findall(r"^ok\b[ \d]*- (.*?) *# SKIP (.*)$", f.read(), re.M))

passed = failed = skipped = 0
for suite in tree.parse(report).getroot().iter("testsuite"):
    suite_failed = 0
    for case in suite.iter("testcase"):
        name = f"{suite.get('name')}: {case.get('name')}"
        if case.find("skipped") is not None:
            skipped += 1
            print(f"skipped {name}: {reasons.get(case.get('name').split(' - ')[-1].strip(), 'no reason given')}")
        elif case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            suite_failed += 1
            print(f"FAILED  {name}")
        else:
            passed += 1
    # A program that died, timed out, or ran fewer tests than it planned: no single test need have failed.
    if not suite_failed and (int(suite.get("errors", 0)) or int(suite.get("failures", 0))):
        failed += 1
        suite_failed = 1
        print(f"FAILED  {suite.get('name')}")
    if suite_failed:
        for output in list(suite.iter("system-out")) + list(suite.iter("system-err")):
            lines = (output.text or "").splitlines()
            wrong = [i for i, line in enumerate(lines) if line.startswith("not ok")]
            for i, line in enumerate(lines):
                if any(w <= i < w + 12 for w in wrong) or (not wrong and i >= len(lines) - 60):
                    print(f"    {line}")
if run.returncode and not failed:
    failed += 1
    print(run.stdout)
    print(f"FAILED  meson test: status {run.returncode}")
print(passed, failed, skipped)
