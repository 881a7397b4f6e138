"""Ask pip-audit whether packages have known vulnerabilities: ``python scripts/audit.py requirements/runtime.txt``.

The advisories are a service on the internet. Where it cannot be reached, that is said in a sentence and is no failure:
nobody is helped by a build that breaks because a network has a firewall. A mirror that has the packages but not the
advisories makes pip-audit skip every package and then say that nothing was found; the two are distinguished
here. Any other failure of pip-audit is a failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SECONDS = 300
UNREACHABLE = ("ConnectionError", "ServiceError", "Max retries exceeded", "Name or service not known", "timed out")


def main(requirements: str) -> int:
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--requirement", requirements]
    print(f"Asking for known vulnerabilities of the packages in {requirements} ...", flush=True)
    try:
        audit = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return not_asked(f"gave no answer within {SECONDS} seconds")
    if not audit.stdout.strip():
        if any(sign in audit.stderr for sign in UNREACHABLE):
            return not_asked("could not be reached")
        print(audit.stderr.strip(), file=sys.stderr)
        return audit.returncode or 1
    return report(json.loads(audit.stdout)["dependencies"])


def report(packages: list[dict[str, Any]]) -> int:
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable = [package for package in packages if package.get("vulns")]
    if len(skipped) == len(packages):
        return not_asked("knows none of these packages")
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}")
    if skipped:
        print(f"Unknown to the service: {', '.join(skipped)}.")
    print(f"{len(packages) - len(skipped)} packages audited, {len(vulnerable)} of them with known vulnerabilities.")
    return 1 if vulnerable else 0


def not_asked(why: str) -> int:
    print(f"Not audited: pip-audit's service {why} from here. Run make audit where the internet is reachable.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
