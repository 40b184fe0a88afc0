"""A caller's line made of packets: the way to the edge of an agent's deployment and back, with jitter, loss and a buffer.

A perturbation: a participant around an agent (see `duplex.perturbations`). What the network between the agent's own stages
costs is `duplex.placement`'s. Coding by anything but G.711, forward error correction, silence suppression and echo are not
modelled.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from duplex.concealment import Concealer
from duplex.conversation import Participant, Prompt, Tallies, layers
from duplex.frame import FRAME_SAMPLES, SAMPLE_RATE, Frame, num_frames
from duplex.network import Link, Traffic
from duplex.perturbations import not_negative, over_line
from duplex.schedule import Schedule, event_later, word_later
from duplex.telephone import DELAY_SAMPLES, Line, law_of_g711

PACKET_SECONDS: Final = 0.02
PACKET_SAMPLES: Final = FRAME_SAMPLES // 4  # 480
QUIET: Final = 10.0 ** (-50.0 / 20.0)  # peak of a packet in which nobody speaks
PAUSE_PACKETS: Final = 5  # quiet ones, 0.1 s, after which a stretch of speech begins anew; no closure in a word is so long
MEMORY: Final = 0.998  # of the running mean and deviation of the delay (Ramjee et al., 1994, algorithm 1)
DEVIATIONS: Final = 4.0  # that are waited for beyond the mean delay
AT_ONCE: Final = Link()


class PacketLine:
    """A line of packets of 20 ms in both directions; words, events and hanging up come when their sound is due.

    Sound is heard a packet (20 ms), the link's delay and the buffer's depth after it was said, and with G.711 the 10 ms of
    its filters later: exactly so, whatever the jitter. A packet that comes after its turn counts as late and is concealed
    like one that was lost. Packets are cut from what G.711 decodes to, a filter's length of 4 ms beside where they would be.

    Words and events are labels of the sound, told also where it was lost: a recogniser that is told the words is not
    disturbed by loss.

    Args:
        link: each way; the weather of the two is drawn apart.
        buffer: depth of the jitter buffer, seconds that a packet may take longer than the fastest.
        adaptive: lets the depth grow beyond that, to the mean delay and four deviations of the packets that came so far,
            where a stretch of speech begins (Ramjee, Kurose, Towsley and Schulzrinne, 1994, Adaptive playout mechanisms for
            packetized audio applications in wide-area networks, algorithm 1).
        law: of G.711, "mu" or "a", at 8 kHz and 300-3400 Hz; None for wideband.
        seed: of the line; the weather of a conversation follows from this and the conversation's.
    """

    def __init__(self, agent: Participant, link: Link = AT_ONCE, buffer: float = 0.04, adaptive: bool = False,
                 law: str | None = None, seed: int = 0):
        self.agent = agent
        self.link = link
        self.buffer = not_negative(buffer)
        self.adaptive = adaptive
        self.law = None if law is None else law_of_g711(law)
        self.line_seed = seed

    def reset(self, prompt: Prompt, seed: int) -> None:
        self.agent.reset(prompt, seed)
        self.to_agent = Direction(self, (self.line_seed, seed, 0), first_frame=-1)
        self.from_agent = Direction(self, (self.line_seed, seed, 1))
        self.frames_left: int | None = None  # on the line after the agent hung up

    def step(self, heard: Frame) -> Frame | None:
        if self.frames_left is None:
            said = self.agent.step(self.to_agent.carry(heard))
            if said is not None:
                return self.from_agent.carry(over_line(said, self.to_agent.seconds + self.from_agent.seconds))
            self.frames_left = num_frames(self.from_agent.end - self.from_agent.schedule.now)
        if self.frames_left <= 0:
            return None
        self.frames_left -= 1
        return self.from_agent.schedule.read()

    def tally(self) -> Mapping[str, Any]:
        """What the agent counted, and under "line" the packets of either direction."""
        inner = next((one for one in layers(self.agent) if isinstance(one, Tallies)), None)
        line = {"to_agent": self.to_agent.tally(), "from_agent": self.from_agent.tally()}
        return {**(inner.tally() if inner is not None else {}), "line": line}


class Direction:
    """One way of a line.

    Attributes:
        depth: of its buffer now, samples.
        end: sample at which what was placed so far will have been heard.
        sent, lost, late, concealed: packets; concealed are those of the lost and late in whose place sound was made up.
    """

    def __init__(self, line: PacketLine, key: tuple[int, ...], first_frame: int = 0):
        self.link_samples = round(line.link.delay * SAMPLE_RATE)
        self.traffic = Traffic(line.link, key)
        self.adaptive = line.adaptive
        self.least = self.depth = line.buffer
        self.codec = None if line.law is None else Line(line.law)
        self.codec_samples = 0 if self.codec is None else DELAY_SAMPLES
        self.schedule = Schedule(first_frame)
        self.end = self.schedule.now
        self.concealer = Concealer()
        self.came, self.mean, self.deviation = 0, 0.0, 0.0  # packets; seconds that they took beyond the fastest
        self.quiet = PAUSE_PACKETS  # packets since somebody spoke
        self.sent, self.lost, self.late, self.concealed = 0, 0, 0, 0
        self.waited = 0  # sum of the depths, samples

    @property
    def seconds(self) -> float:
        """From mouth to ear, now."""
        return (PACKET_SAMPLES + self.link_samples + self.depth + self.codec_samples) / SAMPLE_RATE

    def carry(self, frame: Frame) -> Frame:
        """What comes out while `frame` goes in, and what `frame` cost."""
        start = self.schedule.now
        samples = frame.samples if self.codec is None else self.codec.carry(frame.samples)
        for first in range(0, FRAME_SAMPLES, PACKET_SAMPLES):
            due = self.send(start + first, samples[first: first + PACKET_SAMPLES])
            shift = first / SAMPLE_RATE
            words = [word_later(word, -shift) for word in frame.words if begins(word.start) == first]
            events = [event_later(event, -shift) for event in frame.events if begins(event.start) == first]
            self.schedule.place(due + self.codec_samples, samples[:0], words, events)
        return replace(self.schedule.read(), seconds=frame.seconds)

    def send(self, start: int, samples: np.ndarray) -> int:
        """A packet whose sound begins at sample `start`; returns the sample at which it is due at the other end."""
        sent = (start + PACKET_SAMPLES) / SAMPLE_RATE  # once it is full
        arrival = self.traffic.arrival(sent)
        speaks = bool(np.abs(samples).max() > QUIET)
        if self.adaptive and speaks and self.quiet >= PAUSE_PACKETS:
            self.adapt()
        self.quiet = 0 if speaks else self.quiet + 1
        due = start + PACKET_SAMPLES + self.link_samples + self.depth
        is_late = arrival is not None and arrival > due / SAMPLE_RATE + 1e-9
        if arrival is not None:
            self.learn(max(0.0, arrival - sent - self.traffic.link.delay))
        missing = arrival is None or is_late
        heard = self.concealer.conceal(len(samples)) if missing else self.concealer.hear(samples)
        self.schedule.place(due, heard)
        self.end = due + len(samples)
        self.count(lost=arrival is None, late=is_late, concealed=missing and bool(heard.any()))
        return due

    def adapt(self) -> None:
        """Chooses the depth anew, for the stretch of speech that begins."""
        self.depth = max(self.least, round((self.mean + DEVIATIONS * self.deviation) * SAMPLE_RATE))

    def learn(self, late: float) -> None:
        """From a packet that took so many seconds longer than the fastest."""
        self.came += 1
        weight = max(1.0 - MEMORY, 1.0 / self.came)  # of few packets the plain mean
        self.mean += weight * (late - self.mean)
        self.deviation += weight * (abs(late - self.mean) - self.deviation)

    def count(self, lost: bool, late: bool, concealed: bool) -> None:
        self.sent += 1
        self.lost += lost
        self.late += late
        self.concealed += concealed
        self.waited += self.depth

    def tally(self) -> dict[str, Any]:
        """Packets, the mean depth of the buffer in seconds, and seconds from mouth to ear as they were in the end."""
        return {"sent": self.sent, "lost": self.lost, "late": self.late, "concealed": self.concealed,
                "buffer": round(self.waited / max(1, self.sent) / SAMPLE_RATE, 6), "seconds": round(self.seconds, 6)}


def begins(seconds: float) -> int:
    """First sample of the packet of a frame in which something begins; of what began earlier, the first packet's."""
    packet = int(max(0.0, seconds) * SAMPLE_RATE + 1e-6) // PACKET_SAMPLES
    return min(packet * PACKET_SAMPLES, FRAME_SAMPLES - PACKET_SAMPLES)
