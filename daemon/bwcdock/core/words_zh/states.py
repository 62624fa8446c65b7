"""Where recordings and dockings stand, and what a fault of a recorder means, in the words of officers."""

from bwcdock.core.record import State as RecordState
from bwcdock.core.session import ClockSetting
from bwcdock.core.session import State as SessionState
from bwcdock.core.values import Drift
from bwcdock.core.words_zh.form import Words
from bwcdock.core.words_zh.values import CLOCK_NOT_SET_ZH, span

RECORD_STATE_ZH = {
    RecordState.LISTED: "未采集",
    RecordState.PULLED: "未封存",
    RecordState.SEALED: "已封存",
    RecordState.RELEASED: "已入集中存储",
    RecordState.QUARANTINED: "已隔离",
    RecordState.LOST: "已丢失",
}

SESSION_STATE_ZH = {
    SessionState.ARRIVED: "已插入",
    SessionState.IDENTIFIED: "已识别",
    SessionState.CHECKED: "已检查",
    SessionState.DRAINING: "采集中",
    SessionState.DRAINED: "已采集",
    SessionState.DEPARTED: "已取走",
    SessionState.UNCLAIMED: "无法识别",
    SessionState.REFUSED: "已拒绝",
    SessionState.FAULTED: "设备故障",
}

SOURCE_ZH = {"name": "文件名", "media": "录像容器", "exif": "照片 Exif", "mtime": "文件修改时间"}
"""Where a recorder's claim of time was read."""

READBACK_ZH = {"direct": "已从磁盘回读校验", "cached": "已回读校验（可能来自缓存）", "server": "由服务器证明"}
"""How what was written was read again."""

APART_ZH = {"unreadable": "读不完整", "untrue": "两次读取不一致", "bug": "程序故障", "copy-bad": "副本损坏"}
"""Why a recording is set apart."""

NOT_ERASED_ZH = {
    "off": "未启用清除",
    "hold": "留存中",
    "unproven": "尚未封存",
    "bad-copy": "副本损坏",
    "owed": "尚未入集中存储",
    "one-look": "未二次核验",
    "too-early": "未到清除时间",
    "unwitnessed": "台账未经见证",
    "unlocked": "集中存储的副本未锁定",
    "in-doubt": "上次清除结果未知",
    "interrupted": "中途断开",
    "not-reached": "未轮到",
    "refused": "清除程序拒绝",
    "changed": "已被改动",
    "differs": "内容不一致",
    "missing": "文件不在",
    "odd": "不是普通文件",
    "unreadable": "读不出来",
}
"""Why a file stays on its recorder that was to be erased."""

CLOCK_HOW_ZH = {"protocol": "经设备协议", "set-file": "经校时文件"}
"""How a recorder is given the time."""

ERASED_ZH = {"reported": "清除程序已报告", "gone": "再次插入时已不在"}
"""How it is known that a file was erased."""

_AGAIN = "请将记录仪取出后重新插入；仍不行的，请交管理员处理，不要清空。"

FAULT_ZH = {
    "open": Words("设备打不开", "记录仪打不开。", _AGAIN),
    "list": Words("文件列表读不出", "记录仪上的文件列表读不出来。", _AGAIN),
    "read": Words("读取失败", "读取记录仪时出错。", _AGAIN),
    "pull": Words("采集中断", "采集途中记录仪没有响应。", _AGAIN),
    "unlock": Words("口令不符", "采集站保存的口令与记录仪不一致。", "请管理员核对该记录仪的口令；口令不会自动重试。"),
    "switch": Words("未转为磁盘", "记录仪没有转为磁盘，文件读不出来。", "请检查存储卡和记录仪设置后重新插入。"),
    "set": Words("校时失败", "给记录仪校时没有成功。", "请在记录仪上手动校时。"),
    "lane": Words("设备无响应", "记录仪长时间没有响应。", _AGAIN),
    "driver": Words("程序故障", "读取记录仪的程序出现故障。", "请改用其他采集站，并请系统管理员上报故障。"),
}
"""By the first word of what was being done when a recorder failed."""

UNCLAIMED_ZH = Words(
    "设备无法识别", "没有识别出这是哪种记录仪。", "请确认插入的是执法记录仪或其存储卡，取出后重新插入。"
)
FAULTED_ZH = Words("设备故障", "记录仪出现故障。", _AGAIN)
"""Where what was being done is none of the words above."""


def fault(told: str) -> Words:
    """What a fault of a recorder means; ``told`` is what its docking keeps of it: what was being done comes first."""
    op, said, _ = told.partition(": ")
    return FAULT_ZH.get(op.partition(" ")[0], FAULTED_ZH) if said else UNCLAIMED_ZH


def clock_set(setting: ClockSetting) -> str:
    """How the clock of a recorder was set, and what it was off by before and after."""
    how, before = CLOCK_HOW_ZH[setting.how], f"校时前{_off(setting.before)}"
    match setting.stands:
        case "taken" if setting.after:
            return f"已校时（{how}）：{before}，校时后{_off(setting.after)}"
        case "written":
            return f"已写入时间，待下次插入核对（{how}）：{before}"
        case "not-set":
            reason = CLOCK_NOT_SET_ZH.get(setting.reason, setting.reason)
            after = f"，之后{_off(setting.after)}" if setting.after else ""
            return f"校时未成功（{how}，{reason}）：{before}{after}"
    return f"校时中，结果未知（{how}）：{before}"


def _off(drift: Drift) -> str:
    if not drift.offset_ms:
        return "无偏差"
    at_least = "至少" if drift.bound == "at_least" else ""
    return f"{at_least}{'快' if drift.offset_ms > 0 else '慢'} {span(drift.offset_ms)}"
