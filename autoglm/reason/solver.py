"""One question, from its text to an answer that was checked.

A problem with numbers is derived twice, in steps and as a program, which a model gets wrong in
different ways. Each derivation is checked without a model; where a check fails, the steps before it
are kept and the rest is derived again, a bounded number of times. An answer is verified when a
derivation passes every check and another one, of the other kind, comes to the same. When they
disagree, more are drawn until two agree, or the votes, the rounds or the budget are used up; when
nothing checks out there is no answer.

Refining without an outside failure lowers accuracy (Huang et al. 2023), so a model is never asked
whether it is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from autoglm.core.errors import BudgetError, ModelError
from autoglm.core.text import Language, say, use_language
from autoglm.llm.account import Account, charging
from autoglm.llm.contract import LanguageModel, Message, Reply, Request, Sampling
from autoglm.llm.prompts import FOLDER, template
from autoglm.reason.expression import show_value
from autoglm.reason.gate import Decision, Method, decide
from autoglm.reason.judge import Candidate, Verdict, choose
from autoglm.reason.numbers import CIRCLED
from autoglm.reason.plan import Estimate, Plan
from autoglm.reason.program import run_program
from autoglm.reason.question import Question
from autoglm.reason.slots import order_of, values_of
from autoglm.reason.steps import Steps, agrees, answer_value, read_steps
from autoglm.reason.trace import Node, Trace
from autoglm.reason.verify import KNOWN, Check, check_steps, first_failure, option_of

#: Passages that a search for a question gives.
Retrieve = Callable[[str], Sequence[str]]
#: Called with each piece of text as a model writes it.
Watch = Callable[[str], None]

#: Tokens below which an answer is not worth asking for.
LEAST_TOKENS = 48
#: Times that a line may stand in an answer before it counts as stuck.
MOST_REPEATED = 3
#: Passages a hop looks at, characters of each, and hops of a question.
MOST_PASSAGES, MOST_PASSAGE, MOST_HOPS = 12, 4_000, 6


#: Prompts of a method, and values that stand for what is not known yet.
_PROMPTS = {"direct": ("direct",), "decompose": ("decompose", "hop", "compose")}
SAMPLE: dict[str, Any] = {
    "good": "", "bad": "", "why": "", "passages": (), "facts": (), "answer": "",
}  # fmt: skip


@dataclass
class Solver:
    """Takes one question through a plan.

    Parameters
    ----------
    model
        Is asked.
    question
        What is asked.
    plan
        How far to go.
    account
        Pays for the calls, besides the model's own.
    retrieve
        Gives passages for a question.
    watch
        Sees what the model writes as it is written.
    """

    model: LanguageModel
    question: Question
    plan: Plan = field(default_factory=Plan)
    account: Account = field(default_factory=Account)
    retrieve: Retrieve | None = None
    watch: Watch | None = None

    def __post_init__(self) -> None:
        self.trace = Trace(self.question.text)
        self.found: list[Candidate] = []
        self._asked = 0
        # A model that writes over marks is shown with the numbers of the question.
        marks = zip(map(ord, CIRCLED), self.question.slots, strict=False)
        self._shown = {mark: slot.text for mark, slot in marks} if self.model.prompt_set else {}

    @property
    def language(self) -> Language:
        """Return the language of prompts and of the trace."""
        return self.question.language

    def solve(self) -> Verdict:
        """Answer the question.

        Raises
        ------
        ModelError
            When the model cannot be asked and nothing was found before.
        """
        with use_language(self.language):
            decision = self._decide()
            root = self.trace.add("gate", decision.reason)
            try:
                verdict = self._route(decision.method, root)
            except BudgetError as error:
                verdict = self._judge(error.message)
            except ModelError as error:
                if not self.found:
                    raise
                verdict = self._judge(error.message)
            return verdict

    def estimate(self) -> Estimate:
        """Return what solving could take at the most; no model is asked."""
        method = self._decide().method
        if self.question.arithmetic is not None or self._beyond(method):
            return Estimate(0, 0, 0, 0)
        plan, problem = self.plan, self.question.kind == "problem"
        most, least = plan.votes if plan.refine else 1, 1
        if method == "direct":
            most = 1
        elif method == "decompose":
            most, least = MOST_HOPS + 2, 2
        elif problem:
            kinds = 2 if plan.cross else 1
            rounds = plan.rounds if plan.refine else 0
            most, least = most * (kinds + rounds), kinds
            if plan.back and not self.model.prompt_set:
                most *= 2
        names = _PROMPTS.get(method, ("steps", "program", "resume"))
        names += ("choice",) if self.question.options else ()
        names += ("back",) if plan.back and not self.model.prompt_set else ()
        prompts = [self.model.count_tokens(self._filled(name, SAMPLE)) for name in names]
        one = max(prompts) + plan.max_tokens
        if method == "decompose":
            one += MOST_PASSAGES * 4 * MOST_PASSAGE  # of characters of four bytes
        return Estimate(least, most, least * min(prompts), most * one)

    def _filled(self, prompt: str, values: Mapping[str, Any]) -> tuple[Message, ...]:
        folder = FOLDER / self.model.prompt_set
        texts = {
            "question": self.question.text,
            "marked": self.question.marked,
            "order": order_of(self.question.slots),
            "masked": self.question.text,
        }
        return template(prompt, self.language, folder).fill({**texts, **values})

    def _decide(self) -> Decision:
        found = decide(self.question, documents=self.retrieve is not None)
        if self.plan.method == "auto" or self.question.kind == "arithmetic":
            return found
        return Decision(self.plan.method, say(en=f"as asked: {self.plan.method}",
                                              zh=f"按指定方式:{self.plan.method}"))  # fmt: skip

    def _beyond(self, method: Method) -> bool:
        """Return whether a model that was trained on its own prompts has none for the question."""
        known = self.question.kind == "problem" and method != "decompose"
        return bool(self.model.prompt_set) and not known

    def _route(self, method: Method, root: Node) -> Verdict:
        if self.question.arithmetic is not None:
            return self._computed(self.question.arithmetic, root)
        if self._beyond(method):
            return self._abstain(say(
                en=f"{self.model.name} reads problems with numbers alone; name another model",
                zh=f"{self.model.name} 只会解带数字的应用题,请指定其他模型",
            ))  # fmt: skip
        if method == "decompose":
            return self._hops(root)
        if method == "direct":
            return self._direct(root)
        if self.question.kind == "problem":
            return self._derive(method, root)
        return self._weigh(root)

    def _computed(self, value: Fraction, root: Node) -> Verdict:
        shown = show_value(value)
        node = self.trace.add("program", say(en="computed", zh="直接计算"), root.number,
                              answer=shown, checks=(Check("arithmetic", "passed"),))  # fmt: skip
        self.trace.keep(node)
        return Verdict(shown, shown, value, True, 1.0, say(en="computed exactly", zh="精确计算"))

    # Problems with numbers

    def _derive(self, method: Method, root: Node) -> Verdict:
        both = ["program", "steps"] if method == "program" else ["steps", "program"]
        kinds = both if self.plan.cross else both[:1]
        for number in range(self.plan.votes):
            for kind in kinds:
                self._attempt(kind, root, number)
                if self._agreed():
                    return self._judge()
            if not self.plan.refine:
                break
        return self._judge()

    def _attempt(self, kind: str, root: Node, number: int) -> None:
        candidate = self._steps(root, number) if kind == "steps" else self._program(root, number)
        self.found.append(candidate)
        self._ask_back(candidate, number)
        if kind == "program" or not self.plan.refine:
            return
        for _ in range(self.plan.rounds):
            failure = first_failure(candidate.checks)
            if failure is None or failure.step is None:
                return
            try:
                candidate = self._resume(candidate, failure, number)
            except ModelError:
                return  # too long to go on with, say; the other derivation may do better
            self.found.append(candidate)
            self._ask_back(candidate, number)

    def _ask_back(self, candidate: Candidate, number: int) -> None:
        """Have the model find a number of the question again from the answer, where planned."""
        slot = next((s for s in self.question.slots if s.value not in KNOWN), None)
        if not self.plan.back or slot is None or not candidate.sound or self.model.prompt_set:
            return
        text = self.question.text
        masked = f"{text[: slot.start]}X{text[slot.end :]}"
        title = say(en=f"backwards: {slot.text} hidden", zh=f"倒推:隐去 {slot.text}")
        node, reply = self._ask("back", "back", title, candidate.node, number, masked=masked,
                                answer=candidate.answer)  # fmt: skip
        steps = read_steps(unstuck(reply.text))
        node.lines, node.answer = tuple(step.text for step in steps.lines), steps.answer
        check = Check("back-substitution", "passed")
        if steps.value is None or not agrees(slot.value, steps.value, exact=False):
            why = say(en=f"from the answer follows {steps.answer or '-'} where the question has "
                      f"{slot.text}",
                      zh=f"由答案倒推得 {steps.answer or '-'},而题目中是 {slot.text}")  # fmt: skip
            check = Check("back-substitution", "failed", why)
        candidate.checks.append(check)
        candidate.node.checks = tuple(candidate.checks)

    def _steps(self, root: Node, number: int) -> Candidate:
        title = say(en="in steps", zh="分步推导")
        node, reply = self._ask("steps", "steps", title, root, number)
        return self._stepped(node, read_steps(unstuck(reply.text)), reply.logprob)

    def _stepped(self, node: Node, steps: Steps, logprob: float | None) -> Candidate:
        checks = check_steps(self.question, steps)
        node.lines = tuple(step.text for step in steps.lines)
        node.checks = tuple(checks)
        node.answer = self._worded(steps)
        return Candidate(node, "steps", node.answer, steps.value, checks, logprob)

    def _worded(self, steps: Steps) -> str:
        """Return the answer, with the unit that is asked for if it is a bare number."""
        answer, value = steps.answer, steps.value
        if value is None or not answer.strip("$¥€£ ").replace(",", "").replace(".", "").isdigit():
            return answer
        return self.question.with_unit(show_value(value))

    def _program(self, root: Node, number: int) -> Candidate:
        title = say(en="as a program", zh="列式计算")
        node, reply = self._ask("program", "program", title, root, number)
        program = run_program(unstuck(reply.text), values_of(self.question.slots))
        if program.value is None:
            checks = [Check("arithmetic", "failed", program.error)]
        else:
            checks = check_steps(self.question, program.steps)
        node.lines = tuple(step.text for step in program.steps.lines)
        node.checks = tuple(checks)
        if program.value is not None:
            shown = show_value(program.value)
            node.answer = self.question.with_unit(shown)
            if node.answer == shown and program.unit:
                node.answer = f"{shown}{program.unit}" if self.language == "zh" else (
                    f"{shown} {program.unit}")  # fmt: skip
        return Candidate(node, "program", node.answer, program.value, checks, reply.logprob)

    def _resume(self, failed: Candidate, failure: Check, number: int) -> Candidate:
        """Derive again from the first step that failed a check."""
        place = failure.step or 0
        good, bad = failed.node.lines[:place], failed.node.lines[place : place + 1]
        title = say(en=f"again from step {place + 1}: {failure.detail}",
                    zh=f"从第 {place + 1} 步重新推导:{failure.detail}")  # fmt: skip
        kept = [step for line in good for step in read_steps(line).lines]
        if self.model.prompt_set and failure.name == "arithmetic":
            # It goes on behind the steps it is given: the calculation that was wrong, put right.
            kept += [s.corrected for line in bad for s in read_steps(line).lines if s.corrected]
        values = {
            "good": "\n".join(step.text for step in kept),
            "bad": "".join(bad),
            "why": failure.detail,
        }
        # From the same steps it would write the same ones again.
        draw = number if len(kept) > place or not self.model.prompt_set else len(self.found) + 100
        node, reply = self._ask("resume", "resume", title, failed.node, draw, **values)
        again = read_steps(unstuck(reply.text))
        known = {step.text for step in kept}
        fresh = [line for line in again.lines if line.text not in known]
        return self._stepped(node, Steps((*kept, *fresh), again.answer), reply.logprob)

    def _agreed(self) -> bool:
        """Return whether two sound derivations of different kinds come to the same."""
        sound = [c for c in self.found if c.sound]
        if not self.plan.cross:
            return bool(sound)
        return any(a.key == b.key and a.kind != b.kind for a in sound for b in sound)

    def _judge(self, short: str = "") -> Verdict:
        """Choose among what was found."""
        if not self.found:
            return self._abstain(short or say(en="nothing was derived", zh="没有得到推导"))
        choice = choose(self.found)
        if choice is None:
            return self._abstain(short or say(en="no derivation has an answer", zh="推导没有答案"))
        chosen = choice.candidate
        if not choice.sound:
            return self._abstain(short or say(en="no derivation passes its checks",
                                              zh="没有推导通过检查"), chosen)  # fmt: skip
        if choice.rivals:
            return self._abstain(short or say(en="the derivations disagree", zh="各推导互相矛盾"),
                                 chosen)  # fmt: skip
        self.trace.keep(chosen.node)
        verified = choice.verified(self.model.certainty)
        chosen.node.confidence = confidence = choice.confidence(self.model.certainty)
        if verified:
            why = say(en="two derivations agree, every check passed",
                      zh="两种推导一致,全部检查通过")  # fmt: skip
        elif choice.agreed:
            why = say(en="two derivations agree, but the model is right too seldom when it is no "
                      "surer than this",
                      zh="两种推导一致,但模型在这种把握程度下的正确率不够高")  # fmt: skip
        else:
            why = say(en="its checks passed; no second derivation agrees",
                      zh="检查通过,但无第二种推导印证")  # fmt: skip
        return Verdict(chosen.answer, chosen.answer, chosen.value, verified, confidence, why)

    def _abstain(self, why: str, guess: Candidate | None = None) -> Verdict:
        node = self.trace.add("abstain", why, guess.node.number if guess else None)
        self.trace.keep(node)
        if guess is None:
            return Verdict(None, why=why)
        return Verdict(None, guess.answer, guess.value, False, 0.1, why)

    # Other questions

    def _direct(self, root: Node) -> Verdict:
        node, reply = self._ask("direct", "direct", say(en="directly", zh="直接回答"), root, 0)
        answer = read_steps(reply.text).answer or reply.text.strip()
        node.answer, node.confidence = answer, 0.4
        self.trace.keep(node)
        value = answer_value(answer) if self.question.kind == "problem" else None
        return Verdict(answer or None, answer, value, False, 0.4,
                       say(en="not checked", zh="未经检查"))  # fmt: skip

    def _weigh(self, root: Node) -> Verdict:
        """Draw until one answer cannot be overtaken."""
        counts: dict[str, list[Node]] = {}
        name = "choice" if self.question.options else "steps"
        most = self.plan.votes if self.plan.refine else 1
        for number in range(most):
            node, reply = self._ask(name, "vote", say(en="in steps", zh="分步思考"), root, number)
            steps = read_steps(unstuck(reply.text))
            answer = steps.answer
            if self.question.options:
                answer = option_of(self.question, answer)
            node.lines = tuple(s.text for s in steps.lines)
            node.answer = answer
            node.checks = tuple(check_steps(self.question, replace(steps, answer=answer)))
            if answer:
                counts.setdefault(answer.casefold(), []).append(node)
            sizes = sorted(map(len, counts.values()), reverse=True)
            if sizes and sizes[0] > (sizes[1] if sizes[1:] else 0) + most - number - 1:
                break
        if not counts:
            return self._abstain(say(en="no answer was given", zh="没有给出答案"))
        best = max(counts.values(), key=len)
        drawn = sum(map(len, counts.values()))
        best[0].confidence = confidence = 0.8 * len(best) / max(drawn, 2)
        self.trace.keep(best[0])
        why = say(en=f"{len(best)} of {drawn} draws say so; nothing could be recomputed",
                  zh=f"{drawn} 次中有 {len(best)} 次如此;没有可复算的内容")  # fmt: skip
        return Verdict(best[0].answer, best[0].answer, None, False, confidence, why)

    def _hops(self, root: Node) -> Verdict:
        """Split into sub-questions, look each up, compose the answer."""
        node, reply = self._ask("decompose", "decompose", say(en="split", zh="拆分"), root, 0)
        parts = [line.strip(" -*\t") for line in reply.text.splitlines() if line.strip(" -*\t")]
        node.lines = tuple(parts := parts[:MOST_HOPS] or [self.question.text])
        facts: list[dict[str, str]] = []
        supported = True
        for number, part in enumerate(parts):
            node = self._hop(_linked(part, facts), node, number)
            facts.append({"question": node.title, "answer": node.answer})
            supported &= not node.failed
        if len(facts) > 1 or facts[-1]["question"] != self.question.text:
            node, reply = self._ask("compose", "compose", say(en="composed", zh="合成答案"), node,
                                    0, facts=facts)  # fmt: skip
            node.answer = reply.text.strip()
        answer = node.answer
        self.trace.keep(node)
        if not answer or unknown(answer):
            return self._abstain(say(en="the passages do not tell", zh="资料中没有答案"))
        node.confidence = confidence = 0.75 if supported else 0.35
        why = (
            say(en="every hop is in its passages", zh="每一步都有资料支持")
            if supported
            else say(en="a hop is in none of its passages", zh="有一步没有资料支持")
        )
        return Verdict(answer, answer, None, False, confidence, why)

    def _hop(self, asked: str, parent: Node, number: int) -> Node:
        passages = list(self.retrieve(asked))[:MOST_PASSAGES] if self.retrieve else []
        passages = [p[:MOST_PASSAGE] for p in passages]
        node, reply = self._ask("hop", "hop", asked, parent, number, question=asked,
                                passages=passages)  # fmt: skip
        node.answer = reply.text.strip()
        words = node.answer.casefold().strip(" .。\"'")
        there = any(words in p.casefold() for p in passages) and not unknown(node.answer)
        node.checks = (
            Check("grounded", "passed")
            if there
            else Check("grounded", "failed", say(en="in no passage", zh="不在任何段落中")),
        )
        return node

    def _ask(
        self, prompt: str, kind: Any, title: str, parent: Node, number: int, **values: Any
    ) -> tuple[Node, Reply]:
        """Ask the model and note it; draws after the first are random."""
        filled = self._filled(prompt, values)
        draw = number + 1_000 * self.plan.first_sample
        sampling = Sampling(
            max_tokens=self._most_tokens(filled),
            temperature=self.plan.temperature if draw else 0.0,
            sample=draw,
        )
        with charging(self.account):
            reply = self._reply(Request(filled, sampling))
        return self.trace.called(kind, title, parent.number, filled, reply), reply

    def _most_tokens(self, messages: Sequence[Message]) -> int:
        """Return the tokens an answer may have; fewer where the budget nears its end."""
        room = self.account.room(self.model.count_tokens(messages))
        if room is None or room < LEAST_TOKENS:
            return self.plan.max_tokens
        return min(self.plan.max_tokens, room)

    def _reply(self, request: Request) -> Reply:
        if self.watch is None:
            return self.model.generate(request)
        if self._asked:
            self.watch("\n")
        self._asked += 1
        last: Reply | None = None
        for delta in self.model.stream(request):
            if delta.text:
                self.watch(delta.text.translate(self._shown))
            last = delta.reply or last
        assert last is not None  # a stream ends with its reply
        return last


def _linked(part: str, facts: Sequence[dict[str, str]]) -> str:
    """Put earlier answers where a sub-question names them."""
    for number in range(len(facts), 0, -1):
        part = part.replace(f"#{number}", facts[number - 1]["answer"])
    return part


def unknown(answer: str) -> bool:
    """Return whether an answer says that there is none."""
    return answer.strip(" .。!\"'").casefold() in ("unknown", "未知", "不知道", "无法得知", "")


def unstuck(text: str) -> str:
    r"""Return a text up to where it begins to repeat itself.

    Examples
    --------
    >>> unstuck("a\nb\nb\nb\nb\nc")
    'a\nb\nb\nb'
    """
    counts: dict[str, int] = {}
    kept: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        counts[bare] = counts.get(bare, 0) + 1
        if bare and counts[bare] > MOST_REPEATED:
            break
        kept.append(line)
    return "\n".join(kept)
