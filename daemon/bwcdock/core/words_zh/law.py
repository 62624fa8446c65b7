"""What the law's judging and a recording's own words are called: severities, kinds, moments it counts from, clauses."""

from bwcdock.core.facts import Kind, Severity
from bwcdock.core.rulepack import Keep

SEVERITY_ZH = {Severity.NOTE: "提示", Severity.WARN: "警告", Severity.REFUSE: "拒绝"}

KIND_ZH = {Kind.VIDEO: "录像", Kind.AUDIO: "录音", Kind.PHOTO: "照片", Kind.OTHER: "其他文件"}

BASIS_ZH = {
    "recording_end": "录制结束",
    "recording_start": "录制开始",
    "activity_end": "执法活动结束",
    "listed_at": "插入采集站",
    "not_before": "上次采集",
    "returned": "返回单位",
    "case_closed": "结案",
    "inspection_ended": "检查结束",
}
"""The moment a deadline counts from."""

CLAUSE_ZH = {"deadline": "一般期限", "away": "外出期限", "extension": "延期期限"}
"""Which clause of a deadline speaks."""

MET_BY_ZH = {"sealed": "采集站封存", "confirmed": "集中存储确认"}
"""What meets a deadline."""

KEEP_ZH = {
    Keep.MONTHS: "定期保存",
    Keep.CASE_FILE: "随案卷保存",
    Keep.LONG_TERM: "长期保存",
    Keep.PERMANENT: "永久保存",
}
