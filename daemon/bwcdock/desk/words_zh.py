"""What the acts of the desk, their fields and the words to choose from are called, for forms that officers fill in.

The English of an act is its docstring and that of a field its description, which the command line shows; here is what
the pages show. Tables beside the models, and not in them: the models are what comes from outside, in any language.
"""

from collections.abc import Mapping
from typing import NamedTuple

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


class ActWords(NamedTuple):
    """The name of an act, as a button has it, and one sentence on what it does."""

    name: str
    help: str


class FieldWords(NamedTuple):
    """The label of a field, and small beside it what to fill in."""

    label: str
    hint: str = ""


ACT_ZH: dict[str, ActWords] = {
    "enter-person": ActWords("登记人员", "登记人员，或更改其登记内容；首位登记的人员必须是管理员。"),
    "leave-person": ActWords("人员离岗", "人员调离；请先办理工作交接。"),
    "set-sign-in": ActWords("设置登录方式", "登记本人或由系统管理员代设的登录方式；密码本身不入台账。"),
    "enter-team": ActWords("登记分队", "登记执法分队及其执法人数。"),
    "hand-over": ActWords("工作交接", "移交人名下的记录仪、未移交资料、未办结事项列入交接清单。"),
    "register-device": ActWords("登记记录仪", "登记本单位的执法记录仪，或更改其登记内容。"),
    "issue": ActWords("领用", "检查后将记录仪交执法人员领用；插在采集站上的，检查结果自动带入。"),
    "return": ActWords("归还", "收回执法人员归还的记录仪。"),
    "set-device": ActWords("变更设备状态", "登记记录仪送修、遗失、被盗、退役，或恢复在用。"),
    "report-fault": ActWords("报告故障", "报告记录仪的故障。"),
    "service": ActWords("维修保养", "登记对记录仪的维修或保养；此前报告的故障随之办结。"),
    "begin-trip": ActWords("外出登记", "登记执法人员携带记录仪外出及其事由。"),
    "end-trip": ActWords("返回登记", "登记返回单位的时间，外出期限由此起算。"),
    "end-activity": ActWords("活动结束", "登记当天执法活动的起止时间。"),
    "extend": ActWords("同意延期", "同意延长某一时段录像的移交期限。"),
    "explain": ActWords("书面说明", "说明逾期移交、记录中断、未记录或设备故障的原因。"),
    "judge-explanation": ActWords("签批说明", "同意或不同意一份书面说明。"),
    "tag": ActWords("标注", "标注录像的类别、案件和内容；未填写的保持不变。"),
    "hold": ActWords("留存", "使符合所填各项条件的录像不得到期销毁或清除。"),
    "lift-hold": ActWords("解除留存", "解除一项留存。"),
    "open-case": ActWords("登记案件", "按案号登记案件。"),
    "step-case": ActWords("案件进展", "登记检查结束或结案的时间，归档期限由此起算。"),
    "archive-case": ActWords("案卷归档", "登记文字与音像资料已一并归入案卷。"),
    "request-access": ActWords("申请调阅", "申请查阅、复制、提供或发布录像。"),
    "approve": ActWords("批准申请", "按审批顺序批准一项申请。"),
    "refuse": ActWords("拒绝申请", "按审批顺序拒绝一项申请。"),
    "use-access": ActWords("调阅登记", "已批准的申请在实际调阅、复制之前，先行登记。"),
    "draw-check": ActWords("抽取抽查", "从某单位某一时段的录像中，按事先公布的种子抽取一部分。"),
    "judge-check": ActWords("评定抽查", "逐项评定抽查到的一段录像。"),
    "skip-check": ActWords("免于抽查", "不查看抽查到的一段录像，并说明理由。"),
    "propose-expiry": ActWords("提请销毁", "提请销毁保管期限已满的录像；系统本身不销毁集中存储中的任何内容。"),
    "approve-expiry": ActWords("同意销毁", "同意销毁提请；须有两人同意。"),
    "issue-paper": ActWords("出具文书", "登记出具了一份文书及其校验值和份数。"),
}
"""Every act by its word."""

FIELD_ZH: dict[str, FieldWords] = {
    "person": FieldWords("人员"),
    "name": FieldWords("姓名"),
    "certificate": FieldWords("执法证号", "执法证件的编号"),
    "unit": FieldWords("单位"),
    "team": FieldWords("执法分队"),
    "roles": FieldWords("职责", "规定所列的职责，以及审计员、系统管理员"),
    "user_numbers": FieldWords("设备用户编号", "记录仪上所载的该人员编号，可填多个"),
    "reason": FieldWords("理由"),
    "officers": FieldWords("执法人数"),
    "giver": FieldWords("移交人"),
    "taker": FieldWords("接收人"),
    "device": FieldWords("执法记录仪"),
    "model": FieldWords("型号"),
    "to": FieldWords("领用人"),
    "expected_back": FieldWords("预计归还时间"),
    "checked": FieldWords("人工检查项目", "已人工检查的项目：时钟、电量、存储空间、设备性能"),
    "note": FieldWords("备注"),
    "state": FieldWords("设备状态"),
    "since": FieldWords("起始时间"),
    "ground": FieldWords("外出事由", "规定所列的事由"),
    "out": FieldWords("外出时间"),
    "where": FieldWords("外出地点"),
    "trip": FieldWords("外出登记号"),
    "back": FieldWords("返回时间"),
    "began": FieldWords("活动开始时间"),
    "ended": FieldWords("活动结束时间"),
    "until": FieldWords("截止时间"),
    "records": FieldWords("录像"),
    "text": FieldWords("情况说明"),
    "basis": FieldWords("依据", "未予记录所依据的规定"),
    "spoken_in": FieldWords("语音说明所在录像", "口头说明了中断原因的那段录像"),
    "reported_to": FieldWords("当时报告给", "中断时立即报告的负责人"),
    "explanation": FieldWords("说明编号"),
    "verdict": FieldWords("签批结论"),
    "tags": FieldWords("添加标签", "规定所列的标签"),
    "untag": FieldWords("取消标签", "要取消的标签；已确定的保管期限不因此缩短"),
    "case": FieldWords("案号"),
    "category": FieldWords("案件类别", "如行政处罚、行政强制"),
    "parties": FieldWords("当事人"),
    "place": FieldWords("地点"),
    "event": FieldWords("事件类型", "如日常检查、投诉处理"),
    "activity": FieldWords("执法环节", "执法活动的类别"),
    "sensitive": FieldWords("敏感内容"),
    "important": FieldWords("重要录像"),
    "unrelated": FieldWords("非执法内容", "与执法完全无关的内容"),
    "hold": FieldWords("留存编号"),
    "handler": FieldWords("承办人"),
    "step": FieldWords("进展"),
    "moment": FieldWords("发生时间"),
    "file": FieldWords("卷宗号", "案卷的编号"),
    "access": FieldWords("申请事项"),
    "applicant": FieldWords("申请人"),
    "request": FieldWords("申请号"),
    "how": FieldWords("调阅方式"),
    "who": FieldWords("调阅人、复制人", "实际查看或取得的人"),
    "copies": FieldWords("份数"),
    "percent": FieldWords("抽取比例", "百分数；不填的按设置"),
    "seed": FieldWords("抽样种子", "事先公布的文字，任何人可据此复核抽样"),
    "check": FieldWords("抽查编号"),
    "record": FieldWords("录像"),
    "wrong": FieldWords("不符合的项目"),
    "remark": FieldWords("评语"),
    "expiry": FieldWords("销毁提请号"),
    "paper": FieldWords("文书种类"),
    "subject": FieldWords("文书对象"),
    "sha256": FieldWords("SHA-256 校验值"),
}
"""Every field by its name, wherever it means the same."""

FIELD_OF_ACT_ZH: dict[tuple[str, str], FieldWords] = {
    ("enter-person", "person"): FieldWords("人员编号", "长期不变的短编号，一般用执法证号或工号"),
    ("set-sign-in", "what"): FieldWords("登录方式"),
    ("enter-team", "team"): FieldWords("分队编号"),
    ("enter-team", "name"): FieldWords("分队名称"),
    ("register-device", "device"): FieldWords("设备序列号", "采集站所显示的序列号"),
    ("return", "note"): FieldWords("归还情况"),
    ("report-fault", "what"): FieldWords("故障现象"),
    ("report-fault", "since"): FieldWords("故障发生时间"),
    ("service", "what"): FieldWords("维修保养内容"),
    ("begin-trip", "expected_back"): FieldWords("预计返回时间"),
    ("extend", "since"): FieldWords("录制时间起"),
    ("extend", "until"): FieldWords("录制时间止"),
    ("explain", "what"): FieldWords("说明事项"),
    ("explain", "person"): FieldWords("说明人", "由谁作出说明"),
    ("explain", "reason"): FieldWords("原因", "规定所列的原因或情形"),
    ("judge-explanation", "note"): FieldWords("签批意见"),
    ("hold", "since"): FieldWords("录制时间起"),
    ("hold", "until"): FieldWords("录制时间止"),
    ("request-access", "reason"): FieldWords("事由"),
    ("approve", "note"): FieldWords("审批意见"),
    ("draw-check", "unit"): FieldWords("被抽查单位"),
    ("draw-check", "since"): FieldWords("录制时间起"),
    ("draw-check", "until"): FieldWords("录制时间止"),
    ("approve-expiry", "note"): FieldWords("意见"),
}
"""By act and field, where a field means something of its own in one act."""

CHOICE_ZH: dict[tuple[str, str], Mapping[str, str]] = {
    ("set-sign-in", "what"): SIGN_IN_ZH,
    ("issue", "checked"): CHECK_ZH,
    ("set-device", "state"): DEVICE_STATE_ZH,
    ("explain", "what"): EXPLAINED_ZH,
    ("judge-explanation", "verdict"): {"accept": "同意", "refuse": "不同意"},
    ("tag", "sensitive"): SENSITIVE_ZH,
    ("step-case", "step"): STEP_ZH,
    ("request-access", "access"): ACCESS_ZH,
    ("use-access", "how"): HOW_ZH,
}
"""By act and field, the words of its choices. What a regulation words itself (roles, tags, grounds) says the pack."""


def field(act: str, name: str) -> FieldWords:
    """The label and hint of a field of the act with this word."""
    return FIELD_OF_ACT_ZH.get((act, name)) or FIELD_ZH[name]


def choices(act: str, name: str) -> Mapping[str, str]:
    """The choices of a field with their words, in order; empty where it is filled in freely or by the pack's words."""
    return CHOICE_ZH.get((act, name), {})
