#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs `meson test` in a build folder and counts single tests, not test programs.

unit_results.py BUILD-FOLDER: a line for each test that failed or was skipped, then a last line PASSED FAILED SKIPPED.
Test programs that speak TAP (Criterion with --tap) count by their tests, others as one each.
"""
import os
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

passed = failed = skipped = 0
for suite in tree.parse(report).getroot().iter("testsuite"):
    suite_failed = 0
    for case in suite.iter("testcase"):
        name = f"{suite.get('name')}: {case.get('name')}"
        if case.find("skipped") is not None:
            skipped += 1
            print(f"skipped {name}: {case.find('skipped').get('message') or 'no reason given'}")
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
            for line in (output.text or "").splitlines()[-60:]:
                print(f"    {line}")
if run.returncode and not failed:
    failed += 1
    print(run.stdout)
    print(f"FAILED  meson test: status {run.returncode}")
print(passed, failed, skipped)
