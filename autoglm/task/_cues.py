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
#: none     cue words, limits and metric names themselves
#: open     all else
Role = Literal["named", "target", "context", "feature", "group", "drop", "none", "open"]
Cues = tuple[tuple[Role, re.Pattern[str]], ...]

CLAUSE_END = re.compile(r"[,;!?。;、]\s*|[.:](?=\s|$|[^\x00-\x7f])\s*|\n|[()]|\s-+\s")
#: Ends of clause over which a list goes on.
LIST_END = re.compile(r"[,、]\s*$")

AHEAD = cast(Cues, group("ahead"))
BEHIND = cast(Cues, group("behind"))
#: In Chinese the head stands after the last 的: what is before it is context.
CONTEXT_MARK = "的"

ASKS_CLASSES, ASKS_NUMBERS = phrases("asks.classes"), phrases("asks.numbers")
ASKS_EVENT, ASKS_AMOUNT = phrases("asks.event"), phrases("asks.amount")
ASKS_ANYTHING = phrases("asks.anything")
FORECAST, BY_TIME = phrases("split.forecast"), phrases("split.by_time")
GROUPS = phrases("split.groups")
INTERPRETABLE = phrases("wish.interpretable")
POSITIONS = tuple((pattern, int(place)) for place, pattern in group("place"))
HINTS = tuple((pattern, meaning) for meaning, pattern in group("means"))
