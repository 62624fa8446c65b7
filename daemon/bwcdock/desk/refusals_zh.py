"""What people are told in Chinese when something is refused: of each refusal by its code, and never by its English.

Every code that the desk, its line, viewings, packages and papers refuse by stands here, and no other; a value of the
refusal is named in braces. :mod:`bwcdock.desk.refusing` fills them in.
"""

from typing import NamedTuple


class Refused(NamedTuple):
    """Why it is refused, and what to do about it."""

    what: str
    do: str = "未作任何更改。"


_LOOK = "请核对后重新填写；未作任何更改。"
_WHOLE = "请补填后重新提交；未作任何更改。"
_OTHER = "请由其他人员办理；未作任何更改。"
_FUTURE = "请在实际发生后再登记；未作任何更改。"
_SPAN = "请核对起止时间；未作任何更改。"
_ADMIN = "请系统管理员处理；没有交出任何资料。"
_CHOOSE = "请从列表中选择。"

REFUSALS: dict[str, Refused] = {
    # --- who, and what there is ---------------------------------------------------------------------------------------
    "act.wrong": Refused("{fields}。", _LOOK),
    "matter.none": Refused("没有编号为“{id}”的{kind}。", _LOOK),
    "matter.state": Refused("{kind}“{id}”现为“{state}”，不能再办理“{ev}”。"),
    "record.none": Refused("没有编号为“{id}”的录像。", _LOOK),
    "record.several": Refused("有多段录像的编号以“{id}”开头。", "请填写更长的编号；未作任何更改。"),
    "term.unknown": Refused("本站适用的规定没有列出“{given}”这一{term}。", "可选：{known}；未作任何更改。"),
    "register.empty": Refused("尚未登记任何人员。", "首位人员由本人登记，职责须包含“{role}”。"),
    "role.house": Refused("{role}只能办理：{acts}。"),
    "role.may-not": Refused("{role}不能办理“{act}”。", "可以办理的职责：{roles}；未作任何更改。"),
    "role.not-his": Refused("{name}（{person}）没有“{role}”职责。", "其现有职责：{roles}；未作任何更改。"),
    "role.himself": Refused("不能给本人增加职责。", "请由另一名管理员登记；未作任何更改。"),
    "person.left": Refused("{name}（{person}）已离岗。"),
    "person.no-name": Refused("没有填写姓名。", _WHOLE),
    "person.number-taken": Refused("设备用户编号“{number}”已属于{name}（{person}）。", _LOOK),
    "person.holds": Refused(
        "{name}名下还有未归还的记录仪：{devices}。", "请先办理归还，再办理工作交接；未作任何更改。"
    ),
    "sign-in.not-his": Refused("{person}的登录方式只能由本人或{role}设置。"),
    "sign-in.his-alone": Refused("“{way}”只能由{person}本人设置。", "可以代他人设置的：{ways}；未作任何更改。"),
    "team.negative": Refused("执法人数不能为负数。", _LOOK),
    "handover.himself": Refused("移交人和接收人不能是同一人。", _LOOK),
    # --- recorders ----------------------------------------------------------------------------------------------------
    "device.issued": Refused("记录仪{device}已于{since}由{person}领用。", "请先办理归还；未作任何更改。"),
    "device.back-before": Refused("记录仪{device}的预计归还时间早于领用时间。", _SPAN),
    "device.return-unissued": Refused("记录仪{device}没有领用登记，无从归还。"),
    "device.same-state": Refused("记录仪{device}的状态已经是“{state}”。"),
    "device.still-out": Refused("记录仪{device}由{person}领用，尚未归还。", "请先办理归还；未作任何更改。"),
    "device.fault-future": Refused("故障发生时间晚于现在。", _SPAN),
    "check.unknown": Refused("没有“{given}”这一检查项目。", "检查项目：时钟、电量、存储空间、设备性能。"),
    "issue.unchecked": Refused(
        "{article}要求领用前检查，尚未检查：{checks}。",
        "请将记录仪插入采集站，或人工检查后勾选；未作任何更改。",
    ),
    # --- trips, activities, extensions --------------------------------------------------------------------------------
    "trip.unknown": Refused("本站适用的规定（{article}）没有外出期限的情形。"),
    "trip.twice": Refused("记录仪{device}已登记外出（{trip}），尚未返回。", "请先登记返回；未作任何更改。"),
    "trip.future": Refused("外出时间晚于现在。", _FUTURE),
    "trip.back-before": Refused("预计返回时间早于外出时间。", _SPAN),
    "trip.return-before": Refused("返回时间早于外出时间（{trip}于{since}外出）。", _SPAN),
    "trip.return-future": Refused("返回时间晚于现在。", _FUTURE),
    "activity.span": Refused("执法活动的结束时间早于开始时间。", _SPAN),
    "activity.future": Refused("执法活动的结束时间晚于现在。", _FUTURE),
    "extension.unknown": Refused("本站适用的规定（{article}）没有延期的规定。"),
    "extension.no-reason": Refused("延期须写明特殊情况。", _WHOLE),
    "extension.span": Refused("延期时段的截止时间早于起始时间。", _SPAN),
    # --- explanations -------------------------------------------------------------------------------------------------
    "explanation.empty": Refused("说明没有原因，也没有文字。", _WHOLE),
    "explanation.no-recordings": Refused("逾期说明没有列出逾期的录像。", _WHOLE),
    "explanation.no-basis": Refused("未予记录的说明，除原因外还须写明依据。", _WHOLE),
    "explanation.span": Refused("说明所涉时段的截止时间早于起始时间。", _SPAN),
    "explanation.own": Refused("不能签批本人的说明。", _OTHER),
    "explanation.no-reason": Refused("此类说明须选定规定所列的原因。", "可选：{known}；未作任何更改。"),
    "explanation.not-late": Refused("“{path}”没有逾期，无需说明。"),
    # --- tags, holds, cases -------------------------------------------------------------------------------------------
    "tag.same": Refused("这些录像的标注已经如此。"),
    "hold.no-reason": Refused("留存和解除留存须写明理由。", _WHOLE),
    "hold.empty": Refused("没有写明留存什么：录像、人员、地点、记录仪或录制时间，至少一项。", _WHOLE),
    "hold.span": Refused("留存所涉时段的截止时间早于起始时间。", _SPAN),
    "case.future": Refused("发生时间晚于现在。", _FUTURE),
    "case.step-twice": Refused("案件“{case}”的这一时间已经登记。"),
    "case.negative": Refused("案卷所含录像数不能为负数。", _LOOK),
    "case.unfinished": Refused(
        "案件“{case}”有 {count} 段录像尚未存入集中存储，第一段为“{path}”。", "请待其入库后再归档；未作任何更改。"
    ),
    # --- requests -----------------------------------------------------------------------------------------------------
    "access.incomplete": Refused("申请须写明申请人和事由。", _WHOLE),
    "access.no-recordings": Refused("申请没有列出录像。", _WHOLE),
    "access.nobody-approves": Refused("规定没有指明由谁审批，不能申请。"),
    "access.shut": Refused("本站适用的规定没有指明“{access}”由谁审批，不予开放。"),
    "access.not-next": Refused("申请{id}下一步由{role}审批，{own}不能审批。"),
    "access.same-person": Refused("{person}是申请{id}的申请人或已经审批过。", "请由另一人审批；未作任何更改。"),
    "access.viewing-only": Refused("申请{id}只批准查阅，不得复制。"),
    "access.no-count": Refused("复制须登记份数。", _WHOLE),
    "access.no-reader": Refused("登记簿须写明调阅人、复制人。", _WHOLE),
    "permit.none": Refused("没有已批准的查阅复制申请涵盖这些录像。", "请先申请并经审批；没有显示或复制任何内容。"),
    "permit.not-granted": Refused("申请{request}现为“{state}”，尚未批准。", "请待审批完成；没有显示或复制任何内容。"),
    "permit.viewing-only": Refused("申请{request}只批准查阅，不得复制。", "请另行申请复制；没有复制任何内容。"),
    "permit.beyond": Refused("申请{request}没有列出录像{record}。", "请另行申请；没有显示或复制任何内容。"),
    # --- spot checks, the end of keeping ------------------------------------------------------------------------------
    "check.no-seed": Refused("没有填写事先公布的抽样种子。", _WHOLE),
    "check.percent": Refused("抽取比例应为百分之 1 至 100。", _LOOK),
    "check.span": Refused("抽查时段的截止时间早于起始时间。", _SPAN),
    "check.nothing": Refused("单位“{unit}”在这一时段没有已封存的录像。", _SPAN),
    "check.too-many": Refused("抽中的录像多达 {count} 段。", "请缩短时段或降低比例；未作任何更改。"),
    "check.no-point": Refused("没有第 {number} 项，共 {count} 项。", _LOOK),
    "check.not-drawn": Refused("录像{record}不在抽查{id}的样本中。", _LOOK),
    "check.twice": Refused("录像{record}已经评定或免查。"),
    "check.no-reason": Refused("免于抽查须写明理由。", _WHOLE),
    "expiry.no-recordings": Refused("销毁提请没有列出录像。", _WHOLE),
    "expiry.same-person": Refused("{person}已同意过{id}。", _OTHER),
    "expiry.kept": Refused("“{path}”不得销毁：{why}"),
    "kept.unjudged": Refused("尚未判定保管期限。"),
    "kept.for-ever": Refused("须长期保管（{article}）。"),
    "kept.until": Refused("须保管至{until}（{article}）。"),
    "kept.unfinished": Refused("集中存储尚无完好副本。"),
    "kept.unclassified": Refused("尚未标注内容（{article}）。"),
    "kept.hold": Refused("留存{hold}要求保留：{reason}"),
    "kept.request": Refused("申请{request}涉及该录像，尚未办结。"),
    # --- viewing, packages --------------------------------------------------------------------------------------------
    "view.busy": Refused("同时播放的录像已达 {count} 段。", "请待有人关闭后再试；没有登记调阅。"),
    "view.unsealed": Refused("录像{record}现为“{record_state}”，没有可供查看的封存原件。", "请待封存后再看。"),
    "view.untrue": Refused("“{place}”中录像{record}的字节数与封存时不符。", _ADMIN),
    "view.unreadable": Refused("采集站中的副本打不开。", _ADMIN),
    "view.coming": Refused("录像{record}正从集中存储取来，已完成 {percent}%。", "请稍候再试；没有登记调阅。"),
    "view.large": Refused("录像{record}过大，不取到本机查看。", "请办理复制或导出。"),
    "view.room": Refused("本机没有空间存放录像{record}。", "请系统管理员恢复向集中存储的传送，或导出到磁盘。"),
    "view.elsewhere": Refused("录像{record}不在本机。", "它只在集中存储中：请在该处查看，或办理导出。"),
    "package.none": Refused("台账第 {entry} 条不是导出登记。", _LOOK),
    "package.not-his": Refused("导出包{entry}由{person}制作，只能由其本人或审计员取用。", "没有取出任何内容。"),
    "export.busy": Refused("正在制作另一个导出包。", "请待其完成后再试；未作任何更改。"),
    "export.own-busy": Refused("您的上一个导出包仍在制作。", "请待其完成后再试。"),
    "export.no-place": Refused("无法建立存放导出包的文件夹。", _ADMIN),
    "export.no-room": Refused("存储空间不足，放不下 {size} 的导出包。", "请分次导出，或请系统管理员改换存放位置。"),
    "export.gone": Refused("导出包{entry}不在：没有做完，或已超过 {days} 天。", "请凭原申请重新制作。"),
    "export.unreadable": Refused("导出包{entry}读不出来。", _ADMIN),
    # --- papers -------------------------------------------------------------------------------------------------------
    "paper.one-check": Refused("请选定一次抽查。", _CHOOSE),
    "paper.one-handover": Refused("请选定一次工作交接。", _CHOOSE),
    "paper.one-explanation": Refused("请选定一份此类说明。", _CHOOSE),
    "paper.one-docking": Refused("请选定一个采集批次。", _CHOOSE),
    "paper.no-recording": Refused("没有列出录像。", "请填写一段或多段录像的编号。"),
    "paper.no-request": Refused("所填的申请有不存在的。", _LOOK),
    "paper.no-recorder": Refused("所填的记录仪有不存在的。", _LOOK),
    "paper.no-field": Refused("这种文书没有“{label}”一栏。", "请返回重新填写。"),
    "paper.unsealed": Refused("录像{record}现为“{record_state}”，没有封存的原件。", "请待封存后再办。"),
    "receipt.none": Refused("采集批次“{given}”没有移交回执。", "回执在该批次全部存入集中存储后出具。"),
    "receipt.several": Refused("有 {count} 个采集批次的编号以“{given}”开头。", "请填写更长的编号。"),
    "receipt.untrue": Refused("采集批次{session}的回执与台账记载不符。", "请与集中存储中的回执核对，并报告。"),
    "font.none": Refused("本机没有中文字体。", "请系统管理员安装 {package}，或使用网页版。"),
    "font.unfit": Refused("字体{path}不能用于打印中文。", "请系统管理员改正设置，或安装 {package}。"),
    # --- the station at work ------------------------------------------------------------------------------------------
    "line.unreachable": Refused("采集程序没有运行或没有应答。", "请管理员启动采集程序后再试。"),
    "line.busy": Refused("同时办理的人过多。", "请稍后再试。"),
    "line.late": Refused("采集程序在 {seconds} 秒内没有答复，可能仍会办理。", "请先查看是否已办理，再决定是否重试。"),
    "line.bug": Refused("采集程序出现故障。", "请系统管理员查看日志并上报。"),
}  # fmt: skip
"""By code."""

WRONG: dict[str, str] = {
    "missing": "未填写", "too_short": "未填写", "too_long": "过长", "pattern_mismatch": "含有不允许的字符",
    "int": "不是整数", "greater_than": "数值过小", "less_than": "数值过大", "date": "不是有效的时间",
    "time": "不是有效的时间", "literal": "不是可选的内容", "extra": "没有这一项",
}  # fmt: skip
"""What is wrong with a field, by a part of the word that the model says it by."""

WRONG_SOMEHOW = "填写有误"
"""Where that word has none of these parts."""

OTHERWISE: dict[str, Refused] = {
    "NotAllowed": Refused("未获准许。", "未作任何更改。"),
    "Unreachable": Refused("暂时无法连接。", "请稍后再试；一直不行的，请交系统管理员。"),
    "Misbehaved": Refused("没有及时得到答复。", "请稍后再试；一直不行的，请交系统管理员。"),
    "LedgerBroken": Refused("台账无法读取或不可信。", "请立即报告系统管理员，不要删除任何文件。"),
    "": Refused("没有办成。", "请交系统管理员查看英文说明。"),
}
"""By the kind of an error that has no code of these: what is always true of it. The English is told beside it."""

TERM_ZH = {"role": "职责", "ground": "外出事由", "reason": "原因", "tag": "标签"}
"""What of the pack's words somebody named one that it does not know."""
