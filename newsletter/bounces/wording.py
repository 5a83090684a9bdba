"""By which words one tells sorts of mail apart: tables of patterns, no decisions."""

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# Who sends reports.
DAEMON = _any(
    r"mailer-?daemon", r"mail-?daemon", r"\bpost_?master\b", r"mail delivery", r"mail deliver",
    r"delivery (?:sub)?system", r"delivery service", r"delivery agent", r"mail system", r"\bmdaemon\b",
    r"system administrator", r"mail administrator", r"mailadm", r"\bmmdf\b", r"internet mail delivery",
    r"systemadministrator", r"mail router", r"^\s*<>\s*$", r"mail gateway", r"content-filter",
    r"administrateur", r"microsoft outlook", r"microsoftexchange", r"mailer", r"bounce[sd]?@",
    r"no-?reply@.*(?:bounce|mailer)", r"message router", r"gateway@", r"majordomo", r"listserv",
)

# Subjects of reports that something was not delivered.
FAILURE_SUBJECT = _any(
    r"undeliver", r"non-?deliver", r"not deliver", r"unable to deliver", r"cannot be delivered",
    r"could not be deliver", r"couldn't be deliver", r"could not deliver", r"not be delivered",
    r"deliver(?:y|ing)?[ _:-]*(?:status|fail|error|problem|report|notif|unsuccess|has failed|delayed|"
    r"warning|issue|subsystem|attempt|incomplete)", r"delivery of (?:your )?(?:message|mail)",
    r"(?:mail|message|e-?mail)[ _:-]*(?:delivery|failure|error|system error|rejected|bounced?|"
    r"delayed|non|status|not)", r"returned (?:e-?)?mail", r"mail(?:s|ing)? return", r"returned message",
    r"message returned", r"return(?:ed|ing) to sender", r"failure notice", r"failure notification",
    r"failed mail", r"failed delivery", r"failed to deliver", r"delivery has failed", r"failed message",
    r"bounced? (?:mail|message)", r"message you sent (?:was )?blocked", r"rejected mail",
    r"automatically rejected", r"message (?:was )?blocked", r"user unknown", r"unknown user",
    r"mailbox (?:is )?full", r"over quota", r"quota exceeded", r"warning: (?:message|could|mail)",
    r"message (?:has been )?delayed", r"mail loop", r"loop alert", r"error sending your mail",
    r"problem delivering", r"undelivered", r"fail(?:ed|ure) to deliver", r"not read.*deleted unread",
    r"nondeliverable", r"delivery notification", r"error mail", r"\bmail error\b", r"notification d'échec",
    r"non remis", r"non distribu", r"échec (?:de|d')", r"non[- ]livr", r"erreur.*(?:envoi|distribution)",
    r"unzustellbar", r"nicht zugestellt", r"nicht zustellbar", r"zustell(?:ung|fehler)", r"rückläufer",
    r"no se puede entregar", r"no se ha podido entregar", r"no entregad", r"devuelto", r"devolvido",
    r"não entregue", r"não foi entregue", r"falha na entrega", r"mancato recapito", r"non recapitabile",
    r"mancata consegna", r"errore di consegna", r"onbestelbaar", r"niet bezorg", r"olevererbart",
    r"недоставлен", r"не доставлен", r"не может быть доставлен", r"возвращен", r"配信", r"不達",
    r"配送できません", r"送信エラー", r"送信できません", r"退信", r"邮件传输失败", r"无法投递", r"投递失败",
    r"未送达", r"傳送失敗", r"無法傳遞", r"无法送达", r"반송", r"전송 실패",
)

# Subjects and openings of reports that all went well.
ARRIVED_SUBJECT = _any(
    r"^\s*(?:successful mail delivery|delivered|delivery receipt|delivery notification \(?success|"
    r"relayed|expanded|read:|return receipt|message delivered|delivery status notification "
    r"\(success|delivery status notification \(relay|lu ?:|gelesen:|leído:|letto:)",
    r"mail delivery successful", r"successfully delivered", r"delivery confirmation",
    r"delivery report \(success", r"recipient read",
)

# What reports say in their text.
FAILURE_TEXT = _any(
    r"(?:could|can|was|were|is|has been|be)(?: not|not|n't)\s+(?:be\s+)?(?:\w+\s+)?(?:deliver|relay|"
    r"sent\b|transmit|reach)",
    r"(?:un|not )able to (?:be )?(?:deliver|send|relay)", r"(?:un|non-?)deliver(?:able|ed)", r"did not reach",
    r"did not receive", r"deliver(?:y|ing)[^.\n]{0,60}\b(?:fail|problem|abort|error|postpone|delay|"
    r"unsuccessful|trouble)", r"delevery to", r"failed to (?:be )?deliver", r"fail(?:ed|ure)s? (?:address|recip|"
    r"reason|notice)", r"(?:following|failed) (?:address|recip|destination|user)[^.\n]{0,60}",
    r"had (?:permanent|transient|delivery|fatal)", r"permanent (?:fatal )?(?:error|failure)",
    r"transcript of (?:the )?(?:smtp )?session", r"session transcript", r"returned (?:mail|message|to (?:you|the sender|sender))",
    r"(?:message|mail)[^.\n]{0,80}(?:rejected|refused|bounced|blocked|returned)", r"undeliverable",
    r"no such (?:user|mailbox|recipient|address|account|domain|host)", r"(?:user|recipient|address|host|"
    r"mailbox)s? (?:is )?(?:unknown|not found)", r"unknown (?:user|recipient|address|host|local)",
    r"invalid (?:user|recipient|address|final|mailbox)", r"mailbox (?:is )?(?:full|unavailable)", r"over quota",
    r"requested action (?:not taken|aborted)", r"quota exceeded", r"duplicated message-id",
    r"(?:trouble|problems?|error occurred)[^.\n]{0,40}deliver", r"responded with (?:failure|error)",
    r"giving up on", r"nicht (?:zugestellt|zustellbar|erreich)", r"unzustellbar", r"n'a (?:pas )?pu être",
    r"échec", r"non (?:remis|distribu)", r"no (?:se )?(?:ha )?(?:podido|pudo|puede) (?:ser )?entreg",
    r"não (?:foi|pôde|pode) (?:ser )?entreg", r"impossibile (?:recapitare|consegnare)", r"не (?:может быть |"
    r"было |был )?доставлен", r"送信できません", r"送信に失敗", r"配信できません", r"無法", r"无法", r"未能",
    r"配送できません", r"届けることができません", r"お届けできません",
)

# A line that ends the report and begins the returned message.
COPY_STARTS = re.compile(
    r"^[ \t]{0,80}+(?:[-=*_>#+.]{2,60}+[ \t]{0,20}+.{0,60}?(?:copy of|original message|returned message|unsent message|"
    r"message follows|message text|returned mail|headers? of|your message|message header|undelivered "
    r"message|mail follows|original mail|message body|forwarded message|message non-deliverable|"
    r"原信|included message|failed message|header of the original).{0,60}"
    r"|(?:the |your )?original (?:message|mail)(?: headers?)?(?: \w+){0,3}[ \t]*(?:follows?|attached|as follows|headers|below)[ \t.:]*.{0,40}"
    r"|(?:the )?(?:first|top) \d+ lines? of (?:your|the) original.{0,40}"
    r"|(?:message headers?|headers|mail headers?|message contents?|body of message)[ \t]*(?:follows?|:)[ \t.:]*"
    r"|below (?:this line )?is a copy of.{0,60}|(?:included|enclosed) is a copy of.{0,60}"
    r"|(?:original|ursprüngliche|en-têtes de|encabezados).{0,40}(?:headers|kopfzeilen|message d'origine|originales)[ \t.:]*"
    r"|\*{1,60}+[ \t]*end of message[ \t]*\*{1,60}+"
    r"|original message headers?[ \t]*:?)[ \t]*$"
    r"|^(?:received: (?:from|by) |return-path: <|x-original-to: ).*$",
    re.IGNORECASE,
)
# Lower-case first characters of lines worth asking COPY_STARTS about.
COPY_FIRST = frozenset("-=*_>#+.toyfmhbiexrqu")
COPY_IS_HEADER = re.compile(r"(?:received|return-path|x-original-to):", re.IGNORECASE)

AUTO_REPLY_SUBJECT = _any(
    r"auto(?:matic|mated|matische)?[ -]?(?:re(?:ply|sponse|sponder)|antwort|generated reply)", r"automatische antwort",
    r"out of (?:the )?office", r"out of town", r"\booo\b", r"on (?:vacation|holiday|leave)", r"vacation (?:message|reply|notice|response)",
    r"^away (?:from|until)", r"i(?:'m| am) (?:away|out of|on)", r"absence", r"absen[ct]e du bureau",
    r"réponse automatique", r"abwesen", r"respuesta automática", r"fuera de la oficina", r"risposta automatica",
    r"fuori (?:sede|ufficio)", r"resposta automática", r"automatisch antwoord", r"afwezig", r"autosvar", r"automaattinen",
    r"автоответ", r"自動返信", r"自動応答", r"不在", r"自动回复", r"自動回覆", r"자동 ?회신", r"^autoreply", r"^auto:",
    r"thank you for (?:your|contacting) ", r"we (?:have )?received your", r"ticket (?:received|created|#)",
)

# Mail that asks the sender to prove something before it is delivered.
CHALLENGE_TEXT = _any(
    r"wait-?listed", r"not (?:yet )?(?:been )?pre-?approved", r"not (?:yet )?on (?:my|the|their|our) (?:approved|allowed|"
    r"guest|safe|white)", r"(?:have|get|add) your (?:e-?mail )?address added", r"(?:allowed|approved) senders?[' ]*(?:list)?\b[^.\n]{0,40}(?:click|link|add)",
    r"click[^.]{0,80}(?:link|below|here)[^.]{0,120}(?:confirm that you|verify (?:that )?you|prove|allow(?:ed)? list|deliver your (?:message|e?mail))",
    r"prove (?:that )?you(?:'re| are) (?:a )?(?:human|person|not)", r"(?:confirm|verify) (?:that )?you(?:'re| are) (?:a )?(?:human|real|legitimate|not a spammer)",
    r"(?:one|first)[ -]time (?:verification|confirmation|authentication|sender)", r"reply to this (?:message|e-?mail|mail)[^.]{0,80}(?:release|so (?:that )?(?:it|your)|your (?:original )?(?:message|mail) (?:will|can) be deliver)",
    r"sender (?:verification|confirmation|authorization) (?:request|required)", r"challenge[ /-]response", r"held (?:in|for)[^.]{0,60}until[^.]{0,60}(?:verif|confirm|approv|respond|reply)",
    r"(?:protected|guarded) by (?:spam ?arrest|bluebottle|choicemail|mailblocks|boxbe|tmda|sanebox|knowspam|0spam|uol)", r"antispam uol", r"spam ?arrest",
)
CHALLENGE_HEADERS = (
    "x-bluebottle-request", "x-boxbe-notice", "x-tmda-confirm", "x-tmda-fingerprint", "x-ask-version",
    "x-spamarrest", "x-challenge", "x-choicemail", "x-mailblocks-challenge", "x-crm-challenge",
)
CHALLENGE_DIAGNOSTIC = _any(r"x-boxbe", r"pre-?approved", r"waitlist", r"challenge")

AUTO_REPLY_HEADERS = (
    "x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-autoreply-from", "x-vacation",
    "x-mail-autoreply", "x-autogenerated-reply", "x-ms-exchange-inbox-rules-loop",
)
UNSUBSCRIBE_SUBJECT = re.compile(
    r"^\s*(?:unsubscribe|remove|opt[- ]?out|abmelden|désabonner|désinscription|désinscrire|baja)\b[\w :.~+-]{0,120}$",
    re.IGNORECASE,
)
UNSUBSCRIBE_ADDRESS = re.compile(r"^(?:unsub(?:scribe)?|leave|remove|optout)[+=-]([^@\s]{4,250})@", re.IGNORECASE)
