"""Patterns that tell kinds of mail apart: tables only, no decisions.

In the tables a bar between spaces parts patterns; a bar inside a group is the pattern's own.
"""

import re


def _any(table: str) -> re.Pattern[str]:
    patterns = (pattern.strip() for pattern in re.split(r"\n\s*\| | \| ", table))
    return re.compile("|".join(patterns), re.IGNORECASE)


# Who sends reports: the From header, name and address.
DAEMON = _any(
    r"""mailer-?daemon | mail-?daemon | \bpost_?master\b | mail deliver | delivery (?:sub)?system
    | delivery service | delivery agent | mail system | \bmdaemon\b | system ?administrator
    | mail administrator | mailadm | \bmmdf\b | mail router | message router | ^\s*<>\s*$
    | mail gateway | gateway@ | content-filter | administrateur | microsoft outlook
    | microsoftexchange | mailer | bounces?@ | majordomo | listserv"""
)

# Subjects of reports that something was not delivered.
FAILURE_SUBJECT = _any(
    r"""undeliver | non-?deliver | not deliver | unable to deliver | cannot be delivered
    | could ?n[o']t (?:be )?deliver | not be delivered | delivery of (?:your )?(?:message|mail)
    | deliver(?:y|ing)?[ _:-]*(?:status|fail|error|problem|report|notif|unsuccess|has failed)
    | deliver(?:y|ing)?[ _:-]*(?:delayed|warning|issue|subsystem|attempt|incomplete)
    | (?:mail|message)[ _:-]*(?:delivery|failure|error|system error|rejected|bounced?|delayed)
    | (?:mail|message)[ _:-]*(?:non|status|not) | returned (?:e-?)?mail | mail(?:s|ing)? return
    | returned message | message returned | return(?:ed|ing) to sender | failure noti
    | failed (?:mail|delivery|message) | fail(?:ed|ure) to deliver | bounced? (?:mail|message)
    | message you sent (?:was )?blocked | rejected mail | automatically rejected
    | message (?:was )?blocked | user unknown | unknown user | mailbox (?:is )?full | over quota
    | quota exceeded | warning: (?:message|could|mail) | message (?:has been )?delayed
    | mail loop | loop alert | error sending your mail | problem delivering | nondeliverable
    | error mail | \bmail error\b | notification d'échec | non remis | non distribu
    | échec (?:de|d') | non[- ]livr | erreur.*(?:envoi|distribution) | unzustellbar
    | nicht zugestellt | nicht zustellbar | zustell(?:ung|fehler) | rückläufer | no entregad
    | no se (?:puede|ha podido) entregar | devuelto | devolvido | não entregue
    | não foi entregue | falha na entrega | mancato recapito | non recapitabile
    | mancata consegna | errore di consegna | onbestelbaar | niet bezorg | недоставлен
    | не доставлен | не может быть доставлен | возвращен | 配信 | 不達 | 配送できません
    | 送信エラー | 送信できません | 退信 | 邮件传输失败 | 无法投递 | 投递失败 | 未送达
    | 傳送失敗 | 無法傳遞 | 无法送达 | 반송 | 전송 실패 | 返送 | 届きません | エラーメール
    | 投遞失敗 | 郵件退回 | 邮件退回 | 배달 실패 | 전송하지 못
    | \bdelivery (?:to|of|for)\b.{1,80}\bfailed | zustellung.{0,40}(?:fehlgeschlagen|gescheitert)
    | nicht (?:aus)?geliefert | konnte nicht.{0,40}zugestellt | non délivr | pas pu [êe]tre
    | impossible de (?:remettre|distribuer|livrer) | retour à l'expéditeur
    | no se (?:pudo|puede) entregar | entrega fallida | (?:error|fallo) (?:de|en la) entrega
    | não foi possível entregar | entrega falhou | mensagem devolvida | non consegnat
    | consegna (?:fallita|non riuscita) | impossibile consegnare | niet (?:worden )?afgeleverd
    | bezorging.{0,40}mislukt | не удалось доставить | недоставк | не доставлен
    | nie (?:została |zostało |mogła zostać )?dostarczon | niedostarcz
    | nedoručiteln | nedoručen | nelze doručit | (?:kan|kunde|kunne) (?:inte|ikke) lever
    | lever(?:ing|ans)\w* (?:mislyk|misslyck) | leveransfel | toimitus epäonnistui
    | ei voitu toimittaa | teslim edilemedi | iletilemedi | kézbesíthetetlen | nem kézbesít
    | αδύνατη η παράδοση | δεν παραδόθηκε | nelivrat | không gửi được | gagal (?:di)?kirim"""
)

# Subjects of reports that all went well, or that a message was read.
ARRIVED_SUBJECT = _any(
    r"""^\s*(?:successful mail delivery|delivered|delivery receipt|relayed|expanded|read:|lu ?:)
    | ^\s*(?:return receipt|message delivered|gelesen:|leído:|letto:) | successfully delivered
    | ^\s*delivery (?:status )?(?:notification|report) \((?:success|relay)
    | mail delivery successful | delivery confirmation"""
)

# What reports say in their text.
FAILURE_TEXT = _any(
    r"""(?:could|can|was|were|is|be)(?: not|not|n't)\s+(?:be )?(?:\w+ )?(?:deliver|relay|sent\b)
    | (?:could|can|was|were|did)(?: not|not|n't)\s+(?:be )?(?:\w+ )?(?:transmit|reach|receive)
    | (?:un|not )able to (?:be )?(?:deliver|send|relay) | (?:un|non-?)deliver(?:able|ed)
    | deliver(?:y|ing)[^.\n]{0,60}\b(?:fail|problem|abort|error|postpone|delay|unsuccess|trouble)
    | delevery to | failed to (?:be )?deliver | fail(?:ed|ure)s? (?:address|recip|reason|notice)
    | (?:following|failed) (?:address|recip|destination|user)
    | had (?:permanent|transient|delivery|fatal) | permanent (?:fatal )?(?:error|failure)
    | transcript of (?:the )?(?:smtp )?session | session transcript
    | returned (?:mail|message|to (?:you|the sender|sender))
    | (?:message|mail)[^.\n]{0,80}(?:rejected|refused|bounced|blocked|returned)
    | no such (?:user|mailbox|recipient|address|account|domain|host)
    | (?:user|recipient|address|host|mailbox)s? (?:is )?(?:unknown|not found)
    | unknown (?:user|recipient|address|host|local) | over quota | quota exceeded
    | invalid (?:user|recipient|address|final|mailbox) | mailbox (?:is )?(?:full|unavailable)
    | requested action (?:not taken|aborted) | duplicated message-id | giving up on
    | (?:trouble|problems?|error occurred)[^.\n]{0,40}deliver | responded with (?:failure|error)
    | nicht (?:zugestellt|zustellbar|erreich) | unzustellbar | n'a (?:pas )?pu être | échec
    | non (?:remis|distribu) | no (?:se )?(?:ha )?(?:podido|pudo|puede) (?:ser )?entreg
    | não (?:foi|pôde|pode) (?:ser )?entreg | impossibile (?:recapitare|consegnare)
    | не (?:может быть |было |был )?доставлен | 送信できません | 送信に失敗 | 配信できません
    | 無法 | 无法 | 未能 | 退回 | 配送できません | 届けることができません | お届けできません
    | 投递失败 | 投遞失敗 | 전송하지 못 | 배달하지 못
    | zustellung.{0,40}(?:fehlgeschlagen|gescheitert)
    | nicht (?:aus)?geliefert | pas pu [êe]tre | impossible de (?:remettre|distribuer|livrer)
    | no (?:ha|pudo) (?:sido|ser) entregad | não foi possível entregar | non (?:è stato )?consegnat
    | impossibile consegnare | niet (?:worden )?(?:bezorgd|afgeleverd) | is mislukt
    | не удалось доставить | не доставлено | nie (?:udało się|można)[^.\n]{0,20}dostarczy
    | nie (?:została |zostało )?dostarczon | nelze doručit | nebyl\w* doručen
    | (?:inte|ikke)[^.\n]{0,20}lever | ei voitu toimittaa | teslim edilemedi | iletilemedi
    | kézbesíthetetlen | nem (?:sikerült|lehet)[^.\n]{0,20}kézbesít | αδύνατη η παράδοση
    | δεν (?:παραδόθηκε|ήταν δυνατή) | nu a (?:putut fi|fost) livrat | không gửi được
    | gagal (?:di)?kirim | \bwas not (?:passed on|accepted|forwarded)"""
)

# A line that ends the report and begins the returned message. Possessive where it can be, since
# rulers of a thousand dashes are common.
_RULED_COPY = (
    "copy of|original message|returned message|unsent message|message follows|message text|"
    "returned mail|headers? of|your message|message header|undelivered message|mail follows|"
    "original mail|message body|forwarded message|message non-deliverable|included message|"
    "failed message|header of the original|原信"
)
COPY_STARTS = re.compile(
    r"[ \t]{0,80}+(?:"
    rf"[-=*_>#+.]{{2,60}}+[ \t]{{0,20}}+.{{0,60}}?(?:{_RULED_COPY}).{{0,60}}"
    r"|(?:the |your )?original (?:message|mail)(?: headers?)?(?: \w+){0,3}[ \t]*"
    r"(?:follows?|attached|as follows|headers|below)[ \t.:]*.{0,40}"
    r"|(?:the )?(?:first|top) \d+ lines? of (?:your|the) original.{0,40}"
    r"|(?:message headers?|headers|mail headers?|message contents?|body of message)[ \t]*"
    r"(?:follows?|:)[ \t.:]*"
    r"|below (?:this line )?is a copy of.{0,60}"
    r"|(?:included|enclosed) is a copy of.{0,60}"
    r"|(?:ursprüngliche|en-têtes de|encabezados).{0,40}"
    r"(?:kopfzeilen|message d'origine|originales)[ \t.:]*"
    r"|\*{1,60}+[ \t]*end of message[ \t]*\*{1,60}+"
    r"|original message headers?[ \t]*:?"
    r")[ \t]*$"
    r"|(?:received: (?:from|by) |return-path: <|x-original-to: )",
    re.IGNORECASE,
)
# Lower-case first characters of lines worth asking COPY_STARTS about.
COPY_FIRST = frozenset("-=*_>#+.toyfmhbiexru")
COPY_IS_HEADER = re.compile(r"(?:received|return-path|x-original-to):", re.IGNORECASE)

AUTO_REPLY_SUBJECT = _any(
    r"""auto(?:matic|mated|matische)?[ -]?(?:re(?:ply|sponse|sponder)|antwort|generated reply)
    | out of (?:the )?office | out of town | \booo\b | on (?:vacation|holiday|leave)
    | vacation (?:message|reply|notice|response) | ^away (?:from|until)
    | i(?:'m| am) (?:away|out of|on) | absence | absent du bureau | réponse automatique
    | abwesen | respuesta automática | fuera de la oficina | risposta automatica
    | fuori (?:sede|ufficio) | resposta automática | automatisch antwoord | afwezig | autosvar
    | automaattinen | автоответ | 自動返信 | 自動応答 | 不在 | 自动回复 | 自動回覆 | 자동 ?회신
    | ^auto: | thank you for (?:your|contacting) | we (?:have )?received your
    | ticket (?:received|created|\#)"""
)
AUTO_REPLY_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-autoreply-from",
    "x-vacation",
    "x-mail-autoreply",
    "x-ms-exchange-inbox-rules-loop",
)

# Mail that asks the sender to prove something before the message is delivered.
CHALLENGE_TEXT = _any(
    r"""wait-?listed | not (?:yet )?(?:been )?pre-?approved
    | not (?:yet )?on (?:my|the|their|our) (?:approved|allowed|guest|safe|white)
    | (?:have|get|add) your (?:e-?mail )?address added
    | (?:allowed|approved) senders?[' ]*(?:list)?\b[^.\n]{0,40}(?:click|link|add)
    | click[^.]{0,80}(?:link|below|here)[^.]{0,120}(?:confirm|verify) (?:that )?you
    | click[^.]{0,80}(?:link|below|here)[^.]{0,120}(?:prove|allow(?:ed)? list|verification)
    | click[^.]{0,80}(?:link|below|here)[^.]{0,120}deliver your (?:message|e?mail)
    | prove (?:that )?you(?:'re| are) (?:a )?(?:human|person|not)
    | (?:confirm|verify) (?:that )?you(?:'re| are) (?:a )?(?:human|real|legitimate|not a spammer)
    | (?:one|first)[ -]time (?:verification|confirmation|authentication|sender)
    | reply to this (?:message|e-?mail|mail)[^.]{0,80}(?:release|so (?:that )?(?:it|your))
    | held because the address[^.]{0,120}not been (?:verified|confirmed)
    | held (?:in|for)[^.]{0,60}until[^.]{0,60}(?:verif|confirm|approv|respond|reply)
    | to release your message | challenge[ /-]response | antispam uol | spam ?arrest
    | sender (?:verification|confirmation|authorization) (?:request|required)
    | (?:protected|guarded) by (?:bluebottle|choicemail|mailblocks|boxbe|tmda|knowspam|0spam)"""
)
# Words without which CHALLENGE_TEXT finds nothing; asking for them first is cheap.
CHALLENGE_HINTS = (
    "list",
    "approved",
    "address added",
    "allowed",
    "confirm",
    "verif",
    "prove",
    "-time ",
    "time auth",
    "reply to this",
    "release",
    "challenge",
    "antispam",
    "arrest",
    "authoriz",
    "protected",
    "guarded",
    "held",
    "deliver your",
)
CHALLENGE_HEADERS = (
    "x-bluebottle-request",
    "x-boxbe-notice",
    "x-tmda-confirm",
    "x-ask-version",
    "x-spamarrest",
    "x-challenge",
    "x-choicemail",
    "x-mailblocks-challenge",
)
CHALLENGE_DIAGNOSTIC = _any(r"x-boxbe | not pre-?approved | waitlist | challenge")

AUTHENTICATION_REPORT = _any(r"dmarc[^\n]{0,40}(?:report|forensic|failure) | forensic report")
# Microsoft's feedback loop has no report part: a fixed sender returns the message as it was.
COMPLAINT_SENDER = "staff@hotmail.com"
COMPLAINT_SUBJECT = _any(r"^\s*complaint about message from")

DELAY_SUBJECT = _any(
    r"\bdelay | \bwarning\b.*(?:deliver|message|mail) | delivery warning | verzögert | retard"
)
ANSWER_SUBJECT = _any(r"^\s*(?:re|fwd?|aw|wg|tr|sv|rv|rif|antw)\s*:")
NULL_PATH = _any(r"^\s*(?:<\s*>|<?mailer-daemon\S*|<#@\[\]>|<?null>?|<?postmaster@\S*)?\s*$")

UNSUBSCRIBE_SUBJECT = re.compile(
    r"\s*(?:unsubscribe|remove|opt[- ]?out|abmelden|désabonner|désinscription|désinscrire|baja)\b"
    r"[\w :.~+-]{0,120}$",
    re.IGNORECASE,
)
UNSUBSCRIBE_ADDRESS = re.compile(
    r"(?:unsub(?:scribe)?|leave|remove|optout)[+=-](?P<token>[^@\s]{4,250})@", re.IGNORECASE
)
