"""What the entries of the ledger are called when people read them: every kind, every field, and every chosen word."""

from collections.abc import Mapping
from typing import Any

from bwcdock.core.words_zh.desk import (
    ACCESS_ZH,
    CHECK_ZH,
    DEVICE_STATE_ZH,
    EXPLAINED_ZH,
    HOW_ZH,
    SENSITIVE_ZH,
    SIGN_IN_ZH,
    STEP_ZH,
)
from bwcdock.core.words_zh.law import BASIS_ZH, KIND_ZH, MET_BY_ZH, SEVERITY_ZH
from bwcdock.core.words_zh.states import APART_ZH, CLOCK_HOW_ZH, ERASED_ZH, NOT_ERASED_ZH, READBACK_ZH, SOURCE_ZH
from bwcdock.core.words_zh.values import CLOCK_NOT_SET_ZH, METHOD_ZH, PLACE_ZH

ENTRY_ZH = {
    "station.founded": "建立台账", "station.started": "程序启动", "station.stopped": "程序停止",
    "station.beat": "值守心跳", "station.scrubbed": "本地复读", "station.central_scrubbed": "集中存储复读",
    "station.reformatted": "存储卡格式化",
    "finding.found": "发现问题", "finding.settled": "问题消除", "session.arrived": "设备插入",
    "session.reappeared": "转为磁盘", "session.identified": "识别设备", "session.checked": "检查设备",
    "session.rechecked": "复查设备", "session.inventoried": "列出文件", "session.drained": "采集完毕",
    "session.departed": "设备取走", "session.unclaimed": "无法识别", "session.refused": "拒绝采集",
    "session.faulted": "设备故障", "session.receipted": "出具移交回执",
    "session.clock_intended": "拟校时", "session.clock_written": "写入时间", "session.clock_taken": "校时成功",
    "session.clock_not_set": "校时未成功", "record.listed": "登记文件",
    "record.obliged": "判定期限", "record.pulled": "采集文件", "record.sealed": "封存文件",
    "record.confirmed": "集中存储确认", "record.looked_again": "二次核验", "record.locked": "锁定副本",
    "record.release_intended": "拟清理副本", "record.release_withdrawn": "取消清理", "record.released": "清理副本",
    "record.distrusted": "两次读取不一致",
    "record.quarantined": "隔离", "record.cleared": "解除隔离", "record.copy_bad": "副本损坏",
    "record.lost": "文件丢失", "record.seen": "再次见到", "record.erase_intended": "拟清除设备文件",
    "record.erased": "清除设备文件", "record.erase_kept": "未予清除", "record.tagged": "标注",
    "record.excused": "逾期说明获准", "person.entered": "登记人员", "person.left": "人员离岗",
    "person.sign_in_set": "设置登录", "team.entered": "登记分队", "handover.made": "工作交接",
    "device.registered": "登记记录仪", "device.issued": "领用", "device.returned": "归还",
    "device.state_set": "变更设备状态", "device.fault_reported": "报告故障", "device.serviced": "维修保养",
    "trip.begun": "外出登记", "trip.ended": "返回登记", "activity.ended": "活动结束", "extension.granted": "同意延期",
    "explanation.given": "书面说明", "explanation.judged": "签批说明", "hold.placed": "留存",
    "hold.lifted": "解除留存", "case.opened": "登记案件", "case.step": "案件进展", "case.archived": "案卷归档",
    "access.requested": "申请调阅", "access.approved": "批准申请", "access.refused": "拒绝申请",
    "access.used": "调阅登记", "check.drawn": "抽取抽查", "check.judged": "评定抽查", "check.skipped": "免于抽查",
    "expiry.proposed": "提请销毁", "expiry.approved": "同意销毁", "paper.issued": "出具文书",
}  # fmt: skip
"""Every kind of entry by its name in the leaf."""

FIELD_ZH = {
    "accepted": "是否同意", "act": "申请事项", "activity": "执法活动", "applicant": "申请人", "article": "条款",
    "back": "返回时间", "bad": "损坏", "basis": "依据", "basis_at": "起算时间", "battery": "电量",
    "began": "活动开始", "blake3": "BLAKE3", "bound": "界限", "by": "下令人", "case": "案号", "category": "案件类别",
    "certificate": "执法证号", "chain": "审批顺序", "checked": "检查项目", "claim": "设备所示时间",
    "clock": "时钟状况", "code": "代码", "condition": "设备状况", "container": "容器格式", "copies": "份数",
    "corrected": "校正后时间", "count": "文件数", "device": "执法记录仪", "devices": "执法记录仪", "digest": "摘要",
    "digests": "摘要", "dirty": "未正常关闭", "drift": "时钟偏差", "driver": "驱动程序", "due": "到期时间",
    "duration_ms": "时长(毫秒)", "edges": "首尾摘要", "encoder": "编码器", "end": "结束", "ended": "活动结束",
    "event": "事件类型", "evidence": "依据的数据", "expected_back": "预计返还", "explanation": "说明编号",
    "facts": "采集站自身记录", "file": "卷宗号", "files": "文件数", "finding": "问题", "findings": "问题",
    "firmware": "固件", "footage": "涉及资料", "fragmented": "分段封装", "giver": "移交人", "gps_time": "卫星时间",
    "ground": "事由", "handler": "承办人", "hint": "处理", "how": "方式", "identity": "设备身份", "important": "重要",
    "item": "文件", "keep_article": "保管条款", "keep_until": "保管至", "key": "存放位置", "kind": "类型",
    "known": "已采集过", "label": "标注", "left_open": "未了事项", "length": "长度", "live": "现场插入",
    "lock": "锁定", "hold": "法定保留",
    "manifest": "清单摘要", "markers": "标记", "matter": "编号", "media": "格式", "met_by": "以何为准",
    "method": "方法", "model": "型号", "modified": "修改时间", "modified_text": "修改时间原文", "moment": "发生时间",
    "name": "姓名名称", "new": "新文件", "not_before": "不早于", "note": "备注", "notes": "提示",
    "obligation": "期限", "of": "资料", "officer": "设备所载人员", "officers": "执法人数", "offset": "位置",
    "offset_ms": "偏差(毫秒)", "op": "操作", "origin": "台账名称", "out": "外出时间", "pack": "规则包",
    "paper": "文书种类", "parties": "当事人", "path": "文件", "percent": "抽取比例", "permanent": "长期保管",
    "person": "人员", "pid": "进程号", "place": "地点", "points": "各项结果", "population": "总体数",
    "population_digest": "总体摘要", "port": "端口", "priority": "优先", "problems": "格式问题", "properties": "属性",
    "public_key": "公钥", "quarantined": "隔离数", "quirk": "机型", "quote": "原文", "read_at": "读取时间",
    "readback": "读回方式", "reason": "理由", "recorder": "执法记录仪", "record": "记录号", "records": "资料",
    "remark": "评语", "remedy": "处理", "reported_to": "当时报告给", "resolution_ms": "精度(毫秒)",
    "rests_on": "推算依据", "resumed_at": "续传位置", "roles": "职责", "runs": "可读部分", "sample": "样本",
    "sealed": "封存数", "seed": "种子", "sensitive": "敏感", "sequence": "编号", "serial": "序列号",
    "series": "编号系列", "session": "采集批次",
    "set_to": "所设时间", "severity": "程度", "sha256": "SHA-256", "sidecars": "附属文件",
    "sighting": "位置", "since": "起", "sink": "集中存储", "sinks": "集中存储", "size": "字节数", "slot": "槽位",
    "source": "来源", "spoken": "语音说明", "spoken_in": "语音所在资料", "sqlite": "SQLite", "start": "开始",
    "started": "容器时间", "state": "状态",
    "station": "采集站时钟", "step": "进展", "storage_free": "剩余空间", "storage_total": "总空间",
    "subject": "对象", "tags": "标签", "taker": "接收人", "team": "执法分队", "text": "原文说明", "to": "领用人",
    "truncated": "未正常结束", "uncertainty_ms": "误差(毫秒)", "unit": "单位", "unreadable": "不可读部分",
    "unrelated": "非执法内容", "until": "止", "user": "设备用户", "user_numbers": "设备用户编号", "vendor": "厂商",
    "version": "版本", "what": "情况", "where": "外出地点", "who": "调阅人、复制人", "why": "理由", "zone": "时区",
}  # fmt: skip
"""Every field of a fact, and of the values in it, by its name."""

VALUE_ZH: dict[tuple[str, str], Mapping[Any, str]] = {
    ("Finding", "severity"): SEVERITY_ZH,
    ("Identity", "basis"): {
        "name-group": "文件名", "label": "卷标", "volume-serial": "卷序列号", "folder-name": "文件夹名",
        "protocol": "设备协议", "none": "无可靠依据", "intake": "外来移交",
    },
    ("Drift", "method"): METHOD_ZH,
    ("Drift", "bound"): {"exact": "准确值", "at_least": "至少如此"},
    ("Item", "kind"): KIND_ZH,
    ("Claim", "source"): SOURCE_ZH,
    ("Corrected", "method"): METHOD_ZH,
    ("Obligation", "basis"): BASIS_ZH,
    ("Obligation", "met_by"): MET_BY_ZH,
    ("Sealed", "readback"): READBACK_ZH,
    ("Confirmed", "readback"): READBACK_ZH,
    ("ReleaseIntended", "place"): PLACE_ZH,
    ("ReleaseWithdrawn", "place"): PLACE_ZH,
    ("Released", "place"): PLACE_ZH,
    ("CopyBad", "place"): PLACE_ZH,
    ("Quarantined", "reason"): APART_ZH,
    ("EraseKept", "reason"): NOT_ERASED_ZH,
    ("Erased", "how"): ERASED_ZH,
    ("ClockIntended", "how"): CLOCK_HOW_ZH,
    ("ClockNotSet", "reason"): CLOCK_NOT_SET_ZH,
    ("SignInSet", "what"): SIGN_IN_ZH,
    ("DeviceIssued", "checked"): CHECK_ZH,
    ("DeviceStateSet", "state"): DEVICE_STATE_ZH,
    ("ExplanationGiven", "what"): EXPLAINED_ZH,
    ("CaseStep", "step"): STEP_ZH,
    ("AccessRequested", "act"): ACCESS_ZH,
    ("AccessUsed", "how"): HOW_ZH,
    ("Label", "sensitive"): SENSITIVE_ZH,
}  # fmt: skip
"""The words of a field that holds one of a few, by the sort of value or fact it is in. What a rule pack words itself
(roles, grounds, reasons, tags) says the pack."""

SAID_ZH = {
    "asked to stop": "按要求停止",
    "the station was stopped": "采集站已停止",
    "the station stopped or lost power": "采集站曾停止或断电",
    "taken away": "已取走",
    "no driver knows it": "没有识别出这是哪种设备",
    "no longer on the recorder": "已不在记录仪上",
    "it no longer holds": "情况已消除",
    "the recorder is docked again with it": "记录仪重新插入，文件仍在",
    "all that may go has gone": "可以清除的已全部清除",
    "the clock is past the last entry of the ledger": "时钟已晚于台账最后一条",
    "nothing waits for it, or it is back": "已无待传资料，或已恢复",
    "its clock was set and shows so": "已校时，时钟已核对",
    "what came of it is known": "结果已知",
    "the helper answers": "程序已应答",
    "the recorder has taken the file away": "记录仪已取走该文件",
    "looked at again": "已再次核验",
    "sealed again": "已重新封存",
    "it sealed again": "已能重新封存",
    "the newest document among the heads is a head of this station": "其中最新一份是本站的台账头",
    "the newest document among the statements is one of this station": "其中最新一份是本站的标注存档",
    "locked as it has to be": "已按保管期限锁定",
}
"""The sentences of the station's own that are the same in every entry: why something stopped, ended, was settled."""

SENTENCES = frozenset({
    ("Stopped", "reason"), ("Departed", "reason"), ("Unclaimed", "reason"), ("Lost", "reason"), ("Settled", "how"),
    ("Cleared", "ground"),
})  # fmt: skip
"""The facts and fields that hold them."""
