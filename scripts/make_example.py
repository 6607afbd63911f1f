"""Make the example tables: customers of a made-up telecom company, some of whom left.

Usage: python scripts/make_example.py [FOLDER]

Nothing in them is anybody's data. A customer's chance of leaving follows from tenure,
contract, fee, support calls, payment and what the last note says; the rest is noise. The
tables are dirty on purpose, the way exports are: currency signs, 万, percentages, dates in
two formats, missing markers, an id.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from datetime import date, timedelta
from pathlib import Path
from random import Random

SEED = 20240607
TODAY = date(2024, 6, 1)
N_CUSTOMERS, N_NEW = 2000, 200

PLANS = {"basic": 59.0, "family": 129.0, "unlimited": 199.0, "student": 39.0}
CITIES = [
    "上海",
    "北京",
    "广州",
    "深圳",
    "成都",
    "杭州",
    "武汉",
    "西安",
    "南京",
    "重庆",
    "苏州",
    "长沙",
]
CONTRACTS = ["month to month", "one year", "two years"]
PAYMENTS = ["bank card", "WeChat Pay", "Alipay", "cash"]
CHANNELS = ["客户来电", "到店", "在线客服", "电话回访", "微信留言"]
NOTES = {
    "bad": [
        "投诉信号差,{n} 天内第二次反映",
        "说晚上网速慢,正在考虑换运营商",
        "对账单有异议,要求退 {n} 元",
        "咨询销户流程和携号转网",
        "等了 {n} 分钟才接通,很不满意",
        "抱怨套餐涨价,说别家更便宜",
    ],
    "good": [
        "对服务满意,已推荐给 {n} 位家人",
        "咨询升级套餐,当场办理",
        "感谢上次 {n} 分钟就解决了问题",
        "参加老客户优惠活动,很高兴",
    ],
    "plain": [
        "例行询问,无特殊情况",
        "更新联系方式和地址",
        "咨询账单日期,在每月 {n} 日",
        "补办电话卡",
        "询问国际漫游资费,下月出差 {n} 天",
    ],
}
ENDINGS = ["", "已记录", "已转相关部门", "{n} 天内回复", "当场答复"]
COLUMNS = [
    "customer_id", "signup_date", "city", "age", "plan", "contract", "monthly_fee",
    "total_spent", "data_gb", "off_peak_share", "support_calls", "auto_pay", "payment",
    "last_note", "churned",
]  # fmt: skip


def pick(random: Random, options: list[str]) -> str:
    """Return one option; uses `random()` alone, whose stream never changes."""
    return options[int(random.random() * len(options))]


def normal(random: Random) -> float:
    """Return a standard normal number by Box and Muller's transform."""
    return math.sqrt(-2 * math.log(1 - random.random())) * math.cos(math.tau * random.random())


def note(random: Random, mood: str) -> str:
    """Return what an agent might have written after the last contact."""
    parts = [pick(random, CHANNELS), pick(random, NOTES[mood]), pick(random, ENDINGS)]
    numbered = [part.replace("{n}", str(1 + int(28 * random.random()))) for part in parts]
    return ",".join(part for part in numbered if part)


def customer(random: Random) -> dict[str, str]:
    """Return one customer, clean cells as text, `churned` among them."""
    months = int(72 * random.random() ** 1.4) + 1
    plan = pick(random, list(PLANS))
    contract = CONTRACTS[min(2, int(random.random() ** 1.5 * 3.2))]
    fee = PLANS[plan] * (0.8 + 0.5 * random.random())
    calls = int(min(9, -math.log(1 - random.random()) * 1.4))
    mood = pick(random, ["bad"] * (1 + calls) + ["good"] * 2 + ["plain"] * 5)
    payment = pick(random, PAYMENTS)
    auto_pay = random.random() < (0.1 if payment == "cash" else 0.6)
    age = max(18, min(84, round(41 + 14 * normal(random) - 16 * (plan == "student"))))
    usage = PLANS[plan] / 6 * math.exp(0.5 * normal(random))
    logit = (
        -2.0
        - 0.035 * months
        + {"month to month": 1.3, "one year": 0.0, "two years": -1.3}[contract]
        + 0.45 * calls
        + {"bad": 1.5, "good": -0.8, "plain": 0.0}[mood]
        + 0.9 * (fee > PLANS[plan] * 1.15)
        - 0.7 * auto_pay
        + 0.5 * (payment == "cash")
        - 0.4 * (usage > 20)
        + 0.35 * normal(random)
    )
    churned = random.random() < 1 / (1 + math.exp(-logit))
    return {
        "signup_date": (
            TODAY - timedelta(days=months * 30 + int(random.random() * 30))
        ).isoformat(),
        "city": pick(random, CITIES),
        "age": str(age),
        "plan": plan,
        "contract": contract,
        "monthly_fee": f"{fee:.2f}",
        "total_spent": f"{fee * months * (0.9 + 0.2 * random.random()):.2f}",
        "data_gb": f"{usage:.1f}",
        "off_peak_share": f"{100 * random.random():.0f}",
        "support_calls": str(calls),
        "auto_pay": "是" if auto_pay else "否",
        "payment": payment,
        "last_note": note(random, mood),
        "churned": "yes" if churned else "no",
    }


def soil(random: Random, row: dict[str, str]) -> dict[str, str]:
    """Return the row as an export would show it: signs, units, two date formats, gaps."""
    spent = float(row["total_spent"])
    row["total_spent"] = f"{spent / 1e4:.2f}万" if spent >= 1e4 else row["total_spent"]
    row["monthly_fee"] = "￥" + row["monthly_fee"]
    row["data_gb"] += " GB"
    row["off_peak_share"] += "%"
    if random.random() < 0.3:
        year, month, day = row["signup_date"].split("-")
        row["signup_date"] = f"{year}年{int(month)}月{int(day)}日"
    for name, share, marker in [
        ("age", 0.06, "未知"), ("data_gb", 0.04, ""), ("off_peak_share", 0.05, "-"),
        ("last_note", 0.15, ""), ("payment", 0.02, "N/A"),
    ]:  # fmt: skip
        if random.random() < share:
            row[name] = marker
    return row


def table(random: Random, n_rows: int, first_id: int, columns: list[str]) -> str:
    """Return a table as CSV text with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for number in range(n_rows):
        row = soil(random, customer(random))
        writer.writerow({"customer_id": f"C{first_id + number:06d}"} | row)
    return out.getvalue()


def tables() -> dict[str, str]:
    """Return every example table by file name."""
    random = Random(SEED)
    return {
        "customers.csv": table(random, N_CUSTOMERS, 1, COLUMNS),
        "new_customers.csv": table(random, N_NEW, N_CUSTOMERS + 1, COLUMNS[:-1]),
    }


def main() -> None:
    """Write the tables into the folder given, or into the package."""
    default = Path(__file__).resolve().parents[1] / "autoglm" / "examples"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    for name, text in tables().items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
