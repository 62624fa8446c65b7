"""Codes of findings about what lies on a card or in a folder, as drivers make them, and the families of such codes."""

from bwcdock.core.words_zh.form import Words

_KEEP = "请保留存储卡，交管理员处理，不要清空。"
_BY_HAND = "请交管理员人工检查。"

CARD: dict[str, Words] = {
    "volume.several": Words(
        "存储卡有多个分区",
        "存储卡上不止一个分区。",
        "请管理员核对该型号是否本来如此；没有查看到的分区请人工检查。",
    ),
    "volume.encrypted": Words(
        "分区已加密",
        "存储卡上有加密的分区，其中的录像没有采集。",
        "请管理员取得密钥后人工拷出，不要清空存储卡。",
    ),
    "volume.unknown": Words("分区无法识别", "存储卡上有无法识别的分区，其中的内容没有采集。", _KEEP),
    "volume.damaged": Words(
        "文件系统损坏",
        "存储卡的文件系统损坏，无法打开，其中的录像没有采集。",
        "请保留存储卡，不要再用，交管理员制作镜像。",
    ),
    "volume.truncated": Words(
        "分区超出容量",
        "分区自称比存储卡实际容量还大，可能有文件遗漏。",
        "请保留存储卡，交管理员检测。",
    ),
    "volume.read_errors": Words("存储卡读取出错", "读取存储卡目录时出错，可能有文件遗漏。", _KEEP),
    "directory.loop": Words("目录循环", "文件夹首尾相接，无法读完，可能有文件遗漏。", _KEEP),
    "directory.unreadable": Words("目录无法读取", "有文件夹无法读取，可能有文件遗漏。", _KEEP),
    "file.special": Words("有特殊文件", "其中有链接、管道等特殊文件，没有采集。", _BY_HAND),
    "file.impossible": Words("文件大小异常", "有文件自称比所在的分区还大。", _KEEP),
    "file.chain_broken": Words(
        "文件内容残缺",
        "有文件在存储卡上找不全。",
        "请保留存储卡，不要再用，交管理员制作镜像。",
    ),
    "files.crosslinked": Words("文件互相重叠", "有文件占用同一处存储空间，存储卡的分配表已损坏。", _KEEP),
    "object.refused": Words(
        "有文件无法采集",
        "记录仪没有告知有些文件的大小或名称，这些文件没有采集。",
        "请保留记录仪，交管理员人工拷贝。",
    ),
    "files.skipped": Words(
        "有文件未采集",
        "按该型号的配置，有些文件不属于录像，留在记录仪上。",
        "请管理员核对型号配置；其中确有录像的，请改正配置。",
    ),
    "intake.told": Words(
        "外来资料",
        "这些资料来自其他来源，由移交人说明了来源和经过。",
        "无需处理；来源、移交人和经过已记入台账。",
        "资料来源：{source}；移交人：{holder}；经过：{chain}。",
    ),
    "quirk.tie": Words(
        "型号配置不唯一",
        "有几份型号配置都符合这台记录仪，程序无法分出哪一份更准确。",
        "请管理员在其中一份配置的 [match] 里再加一个条件。",
    ),
    "folder.mounted": Words("内有其他存储", "文件夹里挂载了其他存储，没有采集。", "请将其单独接入采集。"),
    "path.too_long": Words("路径过长", "有文件的路径过长，没有采集。", "请交管理员人工拷出。"),
    "listing.empty": Words(
        "没有任何文件",
        "没有发现任何文件。",
        "请检查存储卡是否插好，并向执法人员核实是否没有录像。",
    ),
    "listing.implausible": Words(
        "文件信息不实",
        "有文件的名称或大小不可能属实，没有采集。",
        "请保留存储卡，交管理员人工检查。",
    ),
    "listing.sidecars": Words(
        "附属文件过多",
        "有录像的附属文件过多，没有全部列在它名下。",
        "无需处理；每个附属文件都会单独采集。",
    ),
    "name.duplicate": Words("文件重名", "同一文件夹里有重名文件，已编号区分。", "请管理员查明存储卡是怎样写成的。"),
    "name.hostile": Words(
        "文件名异常",
        "文件名中有控制字符或看不见的字符，已转写显示。",
        "请管理员查明这些文件名的来历。",
    ),
    "exfat.valid_length": Words(
        "文件未写满",
        "文件末尾有预留而从未写入的部分，最后一段录像可能被截断。",
        "请播放最后一段录像核对，并问明断电原因。",
    ),
    "deleted.before_docking": Words(
        "采集前文件已删除",
        "存储卡上有文件在插入采集站之前被删除。",
        "请查明是谁删除的；请保留存储卡，不要再录，内容可能还能恢复。",
    ),
    "reader.unfiltered": Words(
        "读卡程序未隔离",
        "读卡程序没有在系统调用过滤下运行。",
        "请系统管理员换用支持 seccomp 的系统内核。",
    ),
    # --- families: what a driver of another maker may say under a code of its own -------------------------------------
    "clock": Words("时钟异常", "记录仪的时钟有异常。", "请对照采集站核对记录仪屏幕上的时间，不准的请校时。"),
    "battery": Words("电池异常", "记录仪的电池有异常。", "请管理员检查记录仪的电池。"),
    "storage": Words("存储异常", "记录仪的存储有异常。", _KEEP),
    "card": Words("存储卡异常", "存储卡有异常。", _KEEP),
    "time": Words("时间异常", "录像的时间有异常。", "请交管理员核对录像的时间。"),
    "content": Words("内容异常", "录像的内容有异常。", "请保留记录仪，交管理员处理。"),
    "media": Words("录像异常", "录像文件有异常。", "请交管理员播放核对。"),
    "identity": Words("设备身份存疑", "记录仪的身份有疑问。", "请管理员核对这是哪一台记录仪。"),
    "volume": Words("存储卷异常", "存储卡的分区有异常，可能有文件遗漏。", _KEEP),
    "directory": Words("目录异常", "存储卡的目录有异常，可能有文件遗漏。", _KEEP),
    "file": Words("文件异常", "有文件异常。", _KEEP),
    "listing": Words("文件列表异常", "记录仪的文件列表有异常，可能有文件遗漏。", _KEEP),
    "name": Words("文件名异常", "有文件名异常。", _BY_HAND),
}
"""By code, and by the first word of codes that are not known here."""
