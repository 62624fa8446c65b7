"""The two texts that lie on top of a package: what it is, and how anybody proves it."""

from collections.abc import Sequence

from bwcdock.papers.export.permit import Permit
from bwcdock.papers.text import one_line


def chinese(permit: Permit, unit: str, made: str, key: str, copies: int, notes: Sequence[tuple[str, str]]) -> str:
    """说明.txt."""
    told = [
        "交付包说明",
        "",
        f"单位：{one_line(unit)}",
        f"制作时间：{made}",
        f"申请：{one_line(permit.request)}　申请人：{one_line(permit.applicant)}　事由：{one_line(permit.reason)}",
        f"审批：{one_line('、'.join(permit.approved_by))}　办理：{one_line(permit.who)}（{one_line(permit.role)}）",
        f"复制件数：{copies}",
        "",
        "内容",
        "  data/originals   原始录像，从集中存储（或采集站）读出并与封存摘要一致，未经剪辑",
        "  data/manifests   每份录像的签名清单",
        "  data/proofs      台账条目与包含证明、已签名的树首、采集站公钥",
        "  data/receipts    签名的移交回执（仅当回执所列全部录像都在本包内）",
        "  data/papers      可打印的移交回执与证据说明",
        "",
        "验证（需 Python 3.8 或更高版本，不需联网）",
        "  python3 verify.py --key 单位公布的公钥",
        f"  本包所用公钥：{key}",
        "  不给出 --key 时只能证明本包自身一致；须与单位公布的公钥核对。",
        "  为防本包连同 verify.py 一并被替换，请使用另行取得的 verify.py。",
        "  验证只证明包内录像与封存时一致；包内少了哪些录像，只有采集站台账能回答。",
    ]
    told += ["", "注意", *(f"  {one_line(zh)}" for zh, _ in notes)] if notes else []
    return "\r\n".join(told) + "\r\n"


def english(permit: Permit, made: str, key: str, notes: Sequence[tuple[str, str]]) -> str:
    """README.txt."""
    told = [
        "Recordings of body-worn recorders, with everything needed to prove them (BagIt, RFC 8493).",
        "",
        f"Request {one_line(permit.request)}, made {made}.",
        "",
        "  data/originals   the recordings as they were sealed, byte for byte",
        "  data/manifests   the signed manifest of each",
        "  data/proofs      ledger entries with inclusion proofs (RFC 6962), the signed head, the station's key",
        "  data/receipts    signed receipts, where everything they list is in this package",
        "  data/papers      the papers to print",
        "",
        "Verify with nothing but Python 3.8 or newer, offline:",
        "  python3 verify.py --key KEY_PUBLISHED_BY_THE_BUREAU",
        f"  the key of this package: {key}",
        "Without --key only the package's agreement with itself is proven. Take verify.py from another source if the",
        "whole package might have been exchanged. What was left out of a package only the station's ledger can tell.",
    ]
    told += ["", "Notes", *(f"  {one_line(en)}" for _, en in notes)] if notes else []
    return "\r\n".join(told) + "\r\n"
