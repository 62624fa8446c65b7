"""How the values of evidence are shown to officers: the names of its keys, and figures in the units people use."""

from collections.abc import Callable

from bwcdock.core.facts import SPOOL, Finding

KEY_ZH = {
    "activity": "执法活动", "after": "后一文件", "after_start": "后一开始", "against": "对照时间",
    "article": "依据", "before": "前一文件", "before_end": "前一结束", "bound": "界限", "claim": "文件所称时间",
    "container": "容器时间", "difference_ms": "相差毫秒", "dirty": "未正常关闭", "first": "第一个文件",
    "first_end": "第一个结束", "free": "剩余字节", "lacks": "缺少或有误",
    "limit": "下限字节", "limit_percent": "下限百分比",
    "method": "测定方法", "missing": "缺失数", "modified": "修改时间", "more": "另有", "offset_s": "偏差秒",
    "path": "文件", "pause_ms": "间断毫秒", "percent": "百分比", "quote": "原文", "read_at": "读取时间",
    "reason": "原因", "record": "记录号", "second": "第二个文件", "second_start": "第二个开始", "series": "编号系列",
    "size": "字节数",
    "time": "时间", "total": "总数", "uncertainty_ms": "误差毫秒", "uncertainty_s": "误差秒",
    "zone_minutes": "时区分钟",
}  # fmt: skip
"""What officers call the keys of evidence; a key that is none of these is a file's name."""

METHOD_ZH = {
    "protocol": "经设备协议读取",
    "gps": "卫星时间",
    "plug-file": "接入时设备所写文件",
    "newest-file": "最新文件的时间",
    "uncorrected": "未测得设备时钟偏差，未校正",
    "issue": "由领用登记推算",
}
"""How a recorder's clock was measured; what is none of these is shown as it is."""

CLOCK_NOT_SET_ZH = {
    "failed": "写入失败",
    "ignored": "记录仪没有采用",
    "interrupted": "中途停止",
    "refused": "没有写入",
    "unread": "事后读不出时钟",
}
"""Why a clock that was to be set counts as not set."""

NOTE_ZH = {"source": "来源", "holder": "移交人", "chain": "流转经过", "system": "导出系统", "as_is": "照原样接收的文件"}
"""What officers call the parts of a note of where footage is from; what is none of them is shown as it stands there."""

PLACE_ZH = {SPOOL: "采集站"}
"""What the station's own place is called; a central storage has the name it was given in the settings."""


def span(ms: int) -> str:
    """A duration as people say it, without sign: ``2 天 3 小时``, ``1 分 35 秒``, ``0.4 秒``."""
    seconds = abs(ms) // 1000
    if seconds < 10:
        return f"{abs(ms) / 1000:g} 秒"
    parts = (
        (seconds // 86_400, "天"),
        (seconds // 3600 % 24, "小时"),
        (seconds // 60 % 60, "分"),
        (seconds % 60, "秒"),
    )
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def _off(seconds: str) -> str:
    ms = round(float(seconds) * 1000)
    return f"{'快' if ms > 0 else '慢'} {span(ms)}"


def _hours(minutes: str) -> str:
    return f"{int(minutes) / 60:+g} 小时"


def _gigabytes(size: str) -> str:
    return f"{int(size) / 1e9:.1f} GB"


SHOWN: dict[str, Callable[[str], str]] = {
    "offset_s": _off,
    "zone_minutes": _hours,
    "pause_ms": lambda ms: span(int(ms)),
    "difference_ms": lambda ms: span(int(ms)),
    "free": _gigabytes,
    "limit": _gigabytes,
    "method": lambda method: METHOD_ZH.get(method, method),
    "lacks": lambda parts: "、".join(NOTE_ZH.get(part, part) for part in parts.split(" ")),
    "reason": lambda reason: CLOCK_NOT_SET_ZH.get(reason, reason),
}
"""How the value of a key is shown inside a sentence; of every other key, as it is."""


def filled(sentence: str, finding: Finding, name: str) -> str:
    """``sentence`` with the evidence of the finding; ``KeyError`` or ``ValueError`` where that does not hold it.

    ``name`` is what follows the code. Text from a recorder is put in once and never read as a sentence itself.
    """
    evidence = {key: SHOWN.get(key, str)(value) for key, value in finding.evidence if f"{{{key}}}" in sentence}
    return sentence.format_map(evidence | {"name": PLACE_ZH.get(name, name)})
