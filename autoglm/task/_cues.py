"""The roles that a cue gives the rest of its clause."""

from __future__ import annotations

import re
from typing import Literal, cast

from autoglm.task._phrases import group, phrases

#: What a stretch of the sentence talks about.
#:
#: named    what the user calls the target in so many words ("target is X", "以X为目标")
#: target   what follows a verb of prediction, a question word
#: context  attached to the target ("... of the house", "...每个地区的")
#: feature  what the prediction shall rest on ("based on ...", "根据...")
#: group    rows that belong together ("grouped by ...")
#: drop     what is not to be used ("without ...", "不要用...")
#: only     what alone is to be used ("using only ...", "只用...")
#: unwanted what is said not to be the question ("never mind who quits", "不是预测...")
#: positive the class to look for ("the positive class is ...", "把...当作正类")
#: aside    a reason, a price: what it speaks of is not what is asked for
#: none     cue words, limits and metric names themselves
#: open     all else
Role = Literal[
    "named", "target", "context", "feature", "group", "drop", "only", "unwanted", "positive",
    "aside", "instead", "weak", "none", "open",
]  # fmt: skip
Cues = tuple[tuple[Role, re.Pattern[str]], ...]

CLAUSE_END = re.compile(
    r"[,;!?。;、]\s*|\n|[()]|\s-+\s"
    # "target: price" is one clause
    r"|(?:\.|(?<!target)(?<!label)(?<!column)(?<!inputs)(?<!class)(?<![标签列量象入]):)"
    r"(?=\s|$|[^\x00-\x7f])\s*|(?<=[\u4e00-\u9fff])(?<![标签列量象入是为有下]):(?=\D)"
    # "..., and make sure that ...": a wish of its own
    r"|\s(?=(?:and|but|then)\s+(?:please\s+)?(?:make\s+sure|keep|ensure|test|validate|hold|train"
    r"|leave|ignore|don'?t|do\s+not|never|put)\b)",
    re.IGNORECASE,
)
#: Where a thought ends: what "it" stands for is looked for no further back than one of these.
SENTENCE_END = re.compile(r"[;!?。]\s*|\.(?=\s|$)\s*|\n")
#: A remark in brackets belongs to the words before it, unless it is long or has a cue of its own.
BRACKETS = re.compile(r"\((?P<inside>[^()]{1,40})\)")
#: Ends of clause over which a list goes on.
LIST_END = re.compile(r"[,、:]\s*$")
#: After a cue that looks back a list goes on only so: "A is forbidden, and B ...".
MORE = re.compile(r"\s*(?:and|nor|also|plus|as\s+well|以及|还有|和)", re.IGNORECASE)

AHEAD = cast(Cues, group("ahead"))
BEHIND = cast(Cues, group("behind"))
#: Between the items of a list.
JOIN = re.compile(
    r"\s*(?:,|、|&|/|\band\b|\bn?or\b|\bplus\b|以及|还有|外加|连同|[和与跟及或])\s*", re.IGNORECASE
)
#: Turns of phrase whose words name nothing ("all day", "of course").
IDIOM, NO_NOT = phrases("word.idiom"), phrases("word.no_not")
#: After "ignore" and the like a question word is part of what is named: "ignore how long ...".
QUESTION_WORD = phrases("word.question")
#: What people do with things, not only what is done with columns; and who does it.
BARE_VERB, SUBJECT = phrases("word.bare_verb"), phrases("word.subject")
YES_NO_WORD = phrases("word.yes_no")
#: Starts something else: a list does not reach back over it.
TURN = re.compile(r"\s*(?:but|while|whereas|however|only)\b|但|不过|而", re.IGNORECASE)
#: Signs that a clause leaves a column out where it says nothing clearer.
WEAK_DROP = phrases("weak.drop")
#: "..., and the name neither": as the clause before.
AGAIN = phrases("word.again")
#: In Chinese the head stands after the last 的: what is before it is context.
CONTEXT_MARK = "的"
#: Heads that say nothing of what is asked of them: in "流失的客户" the question is before 的.
PLAIN_HEAD = phrases("word.plain_head")
SECOND_THOUGHT, ASKS_AGAIN = phrases("word.second_thought"), phrases("word.asks_again")

ASKS_CLASSES, ASKS_NUMBERS = phrases("asks.classes"), phrases("asks.numbers")
N_CLASSES = phrases("asks.n_classes")
AS_CLASSES = phrases("asks.as_classes")
ASKS_EVENT, ASKS_AMOUNT = phrases("asks.event"), phrases("asks.amount")
ASKS_ANYTHING = phrases("asks.anything")
FORECAST, BY_TIME = phrases("split.forecast"), phrases("split.by_time")
#: Training and test, early and late: see `_refer.in_order_of_time`.
ORDER = tuple(pattern for _, pattern in group("order"))
GROUPS, TOGETHER = phrases("split.groups"), phrases("split.together")
INTERPRETABLE = phrases("wish.interpretable")
#: Cues that are nouns where nothing follows them: "the loan rating".
NOUN = re.compile(r"评级|分级|评分|打分|定级|ratings?|gradings?|rankings?|scorings?", re.IGNORECASE)
#: Starts a wish of its own.
NEW_WISH = re.compile(
    r"\s*(?:(?:and|then|but|also|plus)\s+)?(?:please\s+)?"
    r"(?:keep|make|train|test|validate|use|give|tell|judge|hold|split)\b",
    re.IGNORECASE,
)
FAIR = phrases("wish.fair")
#: A "not" that stands just before what is not wanted.
NOT_IT = re.compile(
    r"(?:不用|别用|不要|不看|不是|别看|\bnot|\bno|n't\s+use|\bdon'?t\s+use)\s*$", re.IGNORECASE
)
CHOICE = phrases("word.choice")
POSITIONS = tuple((pattern, int(place)) for place, pattern in group("place"))
HINTS = tuple((pattern, meaning) for meaning, pattern in group("means"))
