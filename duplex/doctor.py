"""duplex-doctor: what stands between you and a call, a line each, with the mend.

    duplex-doctor                                    this machine: sound card, microphone, GPU, weights
    duplex-doctor server=ws://127.0.0.1:8998         and a server: reachable, how far, what time it has, what to expect

Exits with 1 when a call is not possible.
"""

import sys
from dataclasses import dataclass

from omegaconf import DictConfig
from rich.console import Console
from rich.text import Text

from duplex import programs
from duplex.live.checks import Finding, Verdict, expected, gpu, microphone_level, server, sound_card, weights
from duplex.remote.address import Access

STYLES = {Verdict.FINE: "green", Verdict.MIND: "yellow", Verdict.BAD: "red", Verdict.UNKNOWN: "dim"}
WIDTH = max(len(verdict.value) for verdict in Verdict)


@dataclass
class Settings:
    """The settings in configs/doctor.yaml."""

    server: str | None
    verify: bool | str
    input: int | str | None
    output: int | str | None
    seconds: float
    repos: list[str]


def show(console: Console, finding: Finding) -> Finding:
    line = Text(f"{finding.verdict.value:{WIDTH}} ", STYLES[finding.verdict])
    line.append(f"{finding.about}: ", "bold").append(finding.found)
    if finding.mend:
        line.append(f" → {finding.mend}", "cyan")
    console.print(line, soft_wrap=True)
    return finding


def examine(settings: Settings, console: Console) -> list[Finding]:
    findings: list[Finding] = []
    if settings.seconds > 0.0:
        findings.append(show(console, sound_card(settings.input, settings.output)))
        if findings[-1].verdict is Verdict.FINE:
            findings.append(show(console, microphone_level(settings.input, settings.seconds)))
    findings.append(show(console, gpu()))
    findings += [show(console, weights(repo)) for repo in settings.repos]
    if settings.server is not None:
        findings += [show(console, finding) for finding in server(settings.server, Access(settings.verify))]
    if any(finding.seconds is not None for finding in findings):
        findings.append(show(console, expected(findings)))
    return findings


def act(config: DictConfig) -> None:
    plain = {name: config[name] for name in Settings.__dataclass_fields__}
    if any(finding.verdict is Verdict.BAD for finding in examine(Settings(**plain), programs.console())):
        sys.exit(1)


def main() -> None:
    programs.run(act, "doctor")


if __name__ == "__main__":
    main()
