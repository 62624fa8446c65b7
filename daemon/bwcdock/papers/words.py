"""What officers call things on papers: states, findings, moments, sizes."""

from datetime import datetime
from zoneinfo import ZoneInfo

# A receipt is written only when every sealed recording on it is confirmed in central storage.
STATE_ZH = {
    "listed": "未采集",
    "pulled": "未封存",
    "sealed": "已入库",
    "released": "已入库",
    "quarantined": "已隔离",
    "lost": "已丢失",
}

TITLE_ZH = {
    "battery.low": "电量不足",
    "card.dirty": "存储卡未正常关闭",
    "clock": "时钟异常",
    "clock.drift": "时钟偏差",
    "content.changed": "文件内容已变",
    "copy": "副本损坏",
    "deleted.before_docking": "采集前文件已删除",
    "content.unread": "无法再次比对",
    "directory": "目录异常",
    "directory.unreadable": "目录无法读取,可能有遗漏",
    "exfat": "文件未写满",
    "file": "文件异常",
    "files": "文件异常",
    "findings.more": "另有其他问题",
    "folder": "内有其他存储,未采集",
    "identity": "设备身份存疑",
    "listing": "目录异常",
    "listing.empty": "没有任何文件",
    "media.truncated": "录像未正常结束",
    "name": "文件名异常",
    "path": "文件名异常",
    "path.too_long": "路径过长,未采集",
    "recording.gone": "录像已不在记录仪",
    "sequence.hole": "文件编号缺失",
    "storage.low": "存储空间不足",
    "time": "时间异常",
    "time.gap": "录像间断",
    "time.overlap": "录像时间重叠",
    "volume": "存储卷异常",
    "volume.damaged": "文件系统损坏,未采集",
    "volume.encrypted": "分区已加密,未采集",
    "volume.read_errors": "读取出错,可能有遗漏",
    "volume.unknown": "分区无法识别,未采集",
}
"""What officers call the findings that stand on a receipt, by code or by its first word."""

KEY_ZH = {
    "activity": "执法活动", "after": "后一文件", "after_start": "后一开始", "against": "对照时间",
    "article": "依据", "before": "前一文件", "before_end": "前一结束", "bound": "界限", "claim": "文件所称时间",
    "container": "容器时间", "difference_ms": "相差毫秒", "dirty": "未正常关闭", "first": "第一个文件",
    "first_end": "第一个结束", "free": "剩余字节", "limit": "下限字节", "limit_percent": "下限百分比",
    "method": "测定方法", "missing": "缺失数", "modified": "修改时间", "more": "另有", "offset_s": "偏差秒",
    "path": "文件", "pause_ms": "间断毫秒", "percent": "百分比", "quote": "原文", "read_at": "读取时间",
    "record": "记录号", "second": "第二个文件", "second_start": "第二个开始", "series": "编号系列", "size": "字节数",
    "time": "时间", "total": "总数", "uncertainty_ms": "误差毫秒", "uncertainty_s": "误差秒",
    "zone_minutes": "时区分钟",
}  # fmt: skip
"""What officers call the keys of evidence; a key that is none of these is a file's name."""


def title(code: str) -> str:
    """A finding's short name for an officer."""
    return TITLE_ZH.get(code) or TITLE_ZH.get(code.partition(".")[0], "其他")


METHOD_ZH = {
    "protocol": "经设备协议读取",
    "gps": "卫星时间",
    "plug-file": "接入时设备所写文件",
    "newest-file": "最新文件的时间",
    "uncorrected": "未测得设备时钟偏差，未校正",
}
"""How a recorder's clock was measured; what is none of these is shown as it is."""

SOURCE_ZH = {"name": "文件名", "media": "录像容器", "exif": "照片 Exif", "mtime": "文件修改时间"}
"""Where a recorder's claim of time was read."""


def moment(at: datetime | None, zone: str) -> str:
    """A moment in the station's zone, to the second; empty where there is none."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" if at else ""


def between(start: datetime | None, end: datetime | None, zone: str) -> str:
    """From when to when, as far as either is known."""
    if start and end and start != end:
        return f"{moment(start, zone)} 至 {moment(end, zone)}"
    return moment(start or end, zone)


def seconds(ms: int) -> str:
    """Milliseconds as seconds, without zeros nobody measured."""
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".") + " 秒"


def count_of_bytes(size: int) -> str:
    """Bytes, all of them: what is compared with a digest is not rounded."""
    return f"{size:,} 字节"
