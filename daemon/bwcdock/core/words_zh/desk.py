"""What people speak about at the desk: the sorts of matters, where each stands, and the words they choose from."""

MATTER_ZH = {
    "person": "人员",
    "team": "执法分队",
    "handover": "工作交接",
    "device": "执法记录仪",
    "trip": "外出",
    "activity": "执法活动",
    "extension": "延期",
    "explanation": "书面说明",
    "hold": "留存",
    "case": "案件",
    "access": "调阅申请",
    "check": "抽查",
    "expiry": "到期销毁",
    "paper": "文书",
}

DEVICE_STATE_ZH = {
    "in_service": "在用",
    "repair": "送修",
    "lost": "遗失",
    "stolen": "被盗",
    "retired": "退役",
}

MATTER_STATE_ZH: dict[str, dict[str, str]] = {
    "person": {"active": "在岗", "left": "已离岗"},
    "team": {"standing": "在编"},
    "handover": {"made": "已交接"},
    "device": DEVICE_STATE_ZH,
    "trip": {"out": "外出中", "back": "已返回"},
    "activity": {"ended": "已结束"},
    "extension": {"granted": "已同意"},
    "explanation": {"given": "待签批", "accepted": "同意", "refused": "不同意"},
    "hold": {"placed": "留存中", "lifted": "已解除"},
    "case": {"open": "办理中", "closed": "已结案", "archived": "已归档"},
    "access": {"requested": "待审批", "granted": "已批准", "refused": "已拒绝"},
    "check": {"drawn": "抽查中", "done": "已完成"},
    "expiry": {"proposed": "待同意", "approved": "已同意"},
    "paper": {"issued": "已出具"},
}
"""Where a matter of each sort stands."""

EXPLAINED_ZH = {
    "late": "逾期移交",
    "interruption": "记录中断",
    "not_recorded": "未记录",
    "device_fault": "设备故障",
}

ACCESS_ZH = {
    "view_inside": "内部查阅",
    "view_outside": "对外查阅",
    "copy": "复制",
    "provide": "对外提供",
    "publish": "发布",
}

HOW_ZH = {"viewed": "调阅", "copied": "复制", "exported": "导出"}
"""How a granted request is carried out."""

SIGN_IN_ZH = {
    "code": "一次性登录码",
    "password": "密码",
    "totp": "动态口令",
    "pin": "PIN 码",
    "token": "程序令牌",
    "blocked": "停止登录",
}
"""How a person proves who he is."""

SENSITIVE_ZH = {"": "未标注", "secret": "涉及国家秘密、商业秘密", "privacy": "涉及个人隐私"}

STEP_ZH = {"inspection_ended": "检查结束", "case_closed": "结案"}
"""From what the archive clock of a case counts."""

CHECK_ZH = {"clock": "时钟", "battery": "电量", "storage": "存储空间", "works": "设备性能"}
"""What is checked before a recorder is issued."""
