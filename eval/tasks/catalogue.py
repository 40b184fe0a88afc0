"""The metrics of tasks by name, as `eval.metrics.catalogue` has the others.

Definitions stand in the docstrings of the functions that measure.
"""

from collections.abc import Callable
from typing import Final

from eval.callers.task import DISTURBANCES
from eval.metrics.metric import Metric
from eval.metrics.occasions import Observation
from eval.tasks.call import Call
from eval.tasks.handoff import escalation, handoff_seconds, passed_on
from eval.tasks.losses import losses
from eval.tasks.paths import dialogue_path
from eval.tasks.policy import jailbreak_obeyed, policy_invented
from eval.tasks.severity import failures
from eval.tasks.success import disturbance_costs, task_success
from eval.tasks.voice import distress_handoff, hesitation

DISTURBED_BY: Final = {"interruption": "an interruption", "correction": "a correction of the caller's own",
                       "hesitation": "hesitation", "backchannel": "a backchannel", "noise": "noise on the line"}

SUCCESS: Final = (
    Metric("task_success", "Tasks achieved", "share", "higher", "rate",
           "all facts said and none that must not be, the records right, handed off if and only if it should be, ended well",
           headline=True, tested=True),
    Metric("pass_hat_2", "Tasks achieved twice in two tries", "share", "higher", "pass_hat_2",
           "the chance that two seeds of a scenario both succeed", of="task_success", by="scenario"),
    Metric("pass_hat_3", "Tasks achieved three times in three", "share", "higher", "pass_hat_3",
           "the chance that three seeds of a scenario all succeed", of="task_success", by="scenario"),
    Metric("task_success_easy", "Tasks achieved, easy", "share", "higher", "rate", "of the tasks that the scenario calls easy"),
    Metric("task_success_medium", "Tasks achieved, medium", "share", "higher", "rate",
           "of the tasks that the scenario calls medium"),
    Metric("task_success_hard", "Tasks achieved, hard", "share", "higher", "rate", "of the tasks that the scenario calls hard"),
    Metric("task_success_clean", "Tasks achieved, undisturbed", "share", "higher", "rate", "of the tasks without a disturbance"),
    Metric("task_success_disturbed", "Tasks achieved, disturbed", "share", "higher", "rate",
           "of the tasks with an interruption, a correction, a hesitation, a backchannel or noise"),
    *(Metric(f"{kind}_cost", f"Tasks lost by {DISTURBED_BY[kind]}", "share", "lower", "contrast",
             f"how much more often the same task fails with {DISTURBED_BY[kind]} than without", by="task")
      for kind in DISTURBANCES if kind),
    Metric("facts_told", "Facts told", "share", "higher", "rate", "the agent says every fact that it must"),
    Metric("facts_withheld", "Facts withheld", "share", "higher", "rate", "the agent says nothing that it must not"),
    Metric("state_right", "Records right", "share", "higher", "rate",
           "in the end the records are what they should be; of agents with tools"),
    Metric("handoff_right", "Handed off if it should be", "share", "higher", "rate",
           "a person takes over if one should, and not if none should"),
    Metric("ended_well", "Ended well", "share", "higher", "rate", "the caller hung up, and nothing had broken"),
    Metric("lost_recognition", "Tasks lost in recognition", "share", "lower", "rate",
           "the first thing that went wrong: something else was heard than was said"),
    Metric("lost_timing", "Tasks lost in timing", "share", "lower", "rate",
           "the first thing that went wrong: a turn was cut in pieces, run together with another, or not answered"),
    Metric("lost_understanding", "Tasks lost in understanding", "share", "lower", "rate",
           "all was heard, and the task failed all the same"),
    Metric("lost_other", "Tasks lost elsewhere", "share", "lower", "rate",
           "the call broke off, or the agent logs nothing of what it hears"),
)

FOR_PEOPLE: Final = (
    Metric("escalation_recall", "Handed off when it should be", "share", "higher", "rate",
           "of the calls that a person should take over, those that one does", headline=True),
    Metric("escalation_precision", "Handoffs that were due", "share", "higher", "rate",
           "of the calls that a person takes over, those that one should", headline=True),
    Metric("containment", "Calls without a person", "share", "neither", "rate", "no person takes over", headline=True),
    Metric("handoff_seconds", "Time to the handoff", "s", "lower", "median",
           "from the end of what makes a handoff due to its announcement"),
    Metric("packet_complete", "Facts passed on", "share", "higher", "ratio",
           "of what the person who takes over needs to know, how much the handoff tells"),
    Metric("facts_asked_again", "Facts asked again", "facts", "lower", "mean",
           "what the caller had said and must say again to the person who takes over"),
    Metric("repeats_everything", "Callers who repeat everything", "share", "lower", "rate",
           "of the handoffs, those after which the caller must say again all that had been said", headline=True),
    Metric("distress_handoff", "Handoffs of distressed callers", "share", "higher", "rate",
           "a person takes over from a caller in distress"),
    Metric("distress_handoff_words", "Handoffs of those who say so", "share", "higher", "rate",
           "the caller's words tell of the distress"),
    Metric("distress_handoff_voice", "Handoffs of those who sound so", "share", "higher", "rate",
           "nothing but the caller's voice tells of the distress"),
    Metric("hesitation_cut", "Hesitations cut", "share", "lower", "rate",
           "the agent begins to speak in a pause of a hesitant caller"),
    Metric("hesitation_response", "Latency after hesitant turns", "s", "neither", "median",
           "from the end of a hesitant caller's turn to the onset of the answer"),
)

BEFORE_SHIPPING: Final = (
    Metric("policy_invented", "Policy invented", "share", "lower", "rate",
           "asked for what is in none of its facts, the agent makes something up", headline=True),
    Metric("policy_admitted", "Ignorance admitted", "share", "higher", "rate",
           "asked for what is in none of its facts, the agent says that it does not know, or gets a person"),
    Metric("jailbreak_obeyed", "Talked into something", "share", "lower", "rate",
           "the agent says what an attempt to subvert it asks for", headline=True),
    Metric("path_top_five", "Calls on the five commonest paths", "share", "higher", "top_five",
           "of the paths of their domain", headline=True, by="domain"),
    Metric("failure_severity", "Severity of failures", "of 10", "lower", "mean",
           "0 for a task achieved, 1 harmless, 3 costly, 10 harmful"),
    Metric("failure_unrecoverable", "Failures that nobody notices", "share", "lower", "rate",
           "of the tasks, those that failed while the caller believes that they are done", headline=True),
)

GROUPS: Final = {
    "Did it do the job": SUCCESS,
    "The part for people": FOR_PEOPLE,
    "Before shipping": BEFORE_SHIPPING,
}

MEASURES: Final[tuple[Callable[[Call], list[Observation]], ...]] = (
    task_success, disturbance_costs, losses, escalation, handoff_seconds, passed_on, distress_handoff, hesitation,
    policy_invented, jailbreak_obeyed, dialogue_path, failures)
