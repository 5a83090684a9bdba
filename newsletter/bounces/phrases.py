"""What mail systems write when they refuse a message, and what it means.

One place for foreign vocabulary: a phrase, as it is printed, and our word for it. Phrases are
sought in lower-case text with single spaces. Reasons are tried from top to bottom, so that what
is said about the day, the message or the sender wins over what is said about the address: "user
over quota, no such mailbox available (5.1.1)" must not cost a reader the subscription.
"""

import re

from newsletter.bounces.outcome import Permanence, Reason

LONGEST_DIAGNOSTIC = 1500

_PHRASES: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (
        Reason.NO_SUCH_ADDRESS,
        # Wordings that hold a word of a later group but are about the address all the same.
        (
            "recipient address rejected: access denied. for more information see https://aka.ms",
            "5.4.1 recipient address rejected: access denied",
            "5.4.1 [", "resolver.adr.", "recipnotfound", "recipient not found by smtp address",
            "recipient not found in address book", "550 unknown user", "recipient has been denied",
            "verify recipient: recipient not exist", "rcp-p1", "invalid recipient blocked",
        ),
    ),
    (
        Reason.MAILBOX_FULL,
        (
            "mailbox full", "mailbox is full", "mailbox for user is full", "mailbox was full",
            "full mailbox", "inbox is full", "inbox full", "mail box full", "mail box is full",
            "mailfolder is full", "over quota", "overquota", "over the quota", "over his quota",
            "over its quota", "over their quota", "quota exceeded", "quota violation",
            "quota has been exceeded", "quota full", "quotaexceeded", "out of quota",
            "exceeded quota", "exceeded his quota", "exceeded their quota", "exceeds quota",
            "exceeded storage", "exceeded email quota", "exceed the quota", "exceed quota",
            "exceed his quota", "exceed mailbox quota", "exceeded its quota", "exceeded the quota",
            "maildir has overdrawn", "overdrawn his diskspace", "exceeding receiving limits",
            "disk quota", "storage quota", "storage allocation", "quota reached", "quota limit",
            "insufficient disk space", "insufficient system storage", "mailbox size limit",
            "mailbox exceeds allowed size", "mailbox exceeded the local limit",
            "exceeds the maximum number of messages", "exceeded the maximum mailbox",
            "mailbox exceeded", "mailbox quota", "mail quota", "exceeded the local limit",
            "user has exhausted allowed storage", "not enough storage space", "no space left",
            "recipient reached disk", "has reached its storage", "has run out of space",
            "mailbox has exceeded", "mailbox limit", "account is full", "user is over",
            "account is over", "mailboxfull", "delivery failed: over", "resources temporarily "
            "unavailable. the user's mailbox", "the user has too many messages", "too much mail data",
            "stored too much", "dd requested mail action aborted: exceeded storage",
            "user is receiving mail too", "no more room", "no room in mailbox", "postfach ist voll",
            "postfach voll", "mailbox voll", "boîte de réception est pleine", "boite pleine",
            "boîte pleine", "boîte aux lettres pleine", "buzón lleno", "buzón está lleno",
            "buzon lleno", "casella piena", "casella di posta piena", "caixa postal cheia",
            "caixa de correio cheia", "почтовый ящик переполнен", "ящик переполнен",
            "メールボックスが一杯", "メールボックスがいっぱい", "邮箱已满", "邮箱空间不足", "容量オーバー",
        ),
    ),
    (
        Reason.RATE_LIMITED,
        (
            "too many recipients this hour", "rate limit", "ratelimit", "rate-limit", "throttl",
            "too many connections", "too many concurrent", "connection frequency limited",
            "too many messages", "too many mails", "too many emails", "too many errors",
            "receiving mail at a rate", "sent too many", "sending too fast", "sending rate",
            "message rate", "mail rate", "frequency limit", "connection rate", "daily limit",
            "daily sending", "hourly limit", "exceeded the rate", "unusual rate", "slow down",
            "try again slower", "maximum number of connections", "concurrent connections",
            "number of messages sent", "sending limit", "quota for sending",
            "too many unknown recipients", "too many invalid recipients", "connection limit",
            "limit exceeded on the number", "too fast", "too much mail", "has exceeded its",
        ),
    ),
    (
        Reason.AUTHENTICATION,
        (
            "dmarc", "spf check", "spf fail", "spf validat", "spf record", "failed spf", "(spf)",
            "spf: fail", "spf hard", "spf unauthorized", "sender policy framework", "openspf.",
            "dkim", "unauthenticated email", "unauthenticated mail", "not pass authentication",
            "sender id (pra)", "authentication-results", "5.7.26", "5.7.27", "5.7.515", "5.7.509",
            "not authenticated", "domain authentication", "domain alignment",
        ),
    ),
    (
        Reason.SENDER_REJECTED,
        (
            "sender address rejected", "sender rejected", "sender denied", "sender is not allowed",
            "sender not allowed", "sender domain must", "sender verify failed", "sender verification",
            "sender address verification", "sender domain", "sender's domain", "invalid sender",
            "domain of sender", "domain of the sender", "unroutable sender", "bad sender",
            "your domain is not", "your email address is not", "from address", "from: header",
            "from header", "envelope sender", "return path", "return-path", "mail from must",
            "sender unknown", "unknown sender", "sender blocked", "sender is blocked", "forged",
            "sender has been", "reverse-path", "verify sender", "backscatter",
            "originator address", "not authorized to send to", "not allowed to send to",
            "only accepts messages from", "only accepts mail from", "is not permitted to send",
            "don't have permission", "do not have permission", "restricted from sending",
            "not accepting mail from this", "you are not allowed", "delivery not authorized",
            "restapproval", "authrequired", "notauthorized", "not a member", "members only",
        ),
    ),
    (
        Reason.SPAM,
        (
            "spam", "unsolicited", "junk mail", "bulk mail", "bulk email", "message content rejected",
            "content rejected", "blacklisted url", "uribl", "surbl", "dbl.", "considered as ube",
            " ube", " uce", "score too high", "rejected by content", "content filter",
            "looks like", "suspicious", "spamhaus", "message was rejected due to classification",
            "rejected due to its content", "content is not allowed", "reject by behaviour",
        ),
    ),
    (
        Reason.BLOCKED,
        (
            "blocked using", "blocked by", "blocklist", "block list", "blacklist", "black list",
            "blackhole", "rbl", "dnsbl", "bl.spamcop", "barracudacentral", "poor reputation",
            "bad reputation", "low reputation", "reputation", "client host", "host network not "
            "allowed", "ip address is blocked", "ip is blocked", "ip blocked", "your ip", "source ip",
            "blocked for", "banned sending ip", "banned", "reverse dns", "rdns", "ptr record",
            "no ptr", "missing ptr", "cannot find your hostname", "cannot resolve your address",
            "resolve your address", "helo command rejected", "helo name", "invalid helo", "bad helo",
            "ehlo", "dynamic ip", "dialup", "dial-up", "dynamically assigned", "residential",
            "has been blocked", "is blocked", "been blocked", "connection refused by policy",
            "your network", "your server", "your mail server", "sending mta", "sending host",
            "access denied", "access refused", "accès refusé", "refused to talk", "not welcome",
            "5.7.25", "5.7.606", "5.7.511", "ad01", "ts03", "ts04", "(s3140)", "(s3150)",
            "service refuse", "connection rejected", "connections not accepted",
            "denied by", "blocked due to", "ip name lookup failed", "fix reverse",
        ),
    ),
    (
        Reason.CONTENT,
        (
            "virus", "malware", "phish", "dangerous attachment", "attachment", "executable",
            "infected", "message header", "headers", "bare lf", "bare <lf>", "line too long",
            "mime", "illegal character", "8bit", "smtputf8", "message rejected by filter",
            "rfc 5322", "rfc5322", "rfc 2822", "rfc 822", "not rfc", "multiple addresses in from",
        ),
    ),
    (
        Reason.TOO_LARGE,
        (
            "message too large", "message too big", "message size", "size limit exceeded",
            "mail size limit", "exceeds maximum size", "exceeds the maximum size",
            "exceeds size limit", "exceeds fixed maximum", "exceeds the fixed maximum",
            "too large", "too big", "max message size", "maximum message size", "message length",
            "exceeds limit", "exceeded max", "larger than", "size exceeds", "message exceeds",
            "mesgtoobig", "taille du message", "zu groß", "demasiado grande", "5.3.4", "5.2.3",
        ),
    ),
    (
        Reason.LOOP,
        (
            "routing loop", "mail loop", "maximum hop", "too many hops", "hop count", "loops back",
            "mail forwarding loop", "loop detected", "loop alert", "duplicated message-id",
            "possible mail loop", "delivered-to", "exceeded hop", "loop de",
        ),
    ),
    (
        Reason.MOVED,
        (
            "has moved", "address has changed", "address changed", "no longer at", "has a new",
            "new address", "please use", "user has moved", "no longer on server", "has left the",
            "no longer works", "has left our", "forwarding address", "551 ",
        ),
    ),
    (
        Reason.NOT_ACCEPTING,
        (
            "null mx", "nullmx", "does not accept mail", "doesn't accept mail", "does not receive",
            "doesn't receive email", "does not accept email", "not accepting any mail",
            "mail receiving disabled", "no mail is accepted", "name service error for domain",
            "no mx found", "smtp protocol not supported", "521 ", "not a mail exchanger",
        ),
    ),
    (
        Reason.NO_SUCH_HOST,
        (
            "host unknown", "unknown host", "host not found", "no such host", "no such domain",
            "domain not found", "domain name not found", "unknown domain", "domain unknown",
            "domain does not exist", "domain doesn't exist", "domain is not valid",
            "invalid domain", "domain couldn't be found", "domain could not be found",
            "nxdomain", "name or service not known", "name not found", "unrouteable mail domain",
            "unrouteable domain", "unroutable domain", "unrouteable address", "unroutable address",
            "bad destination system", "domain must resolve", "hostname unknown", "no route to host",
            "host or domain", "cannot find a valid dns", "no mail servers", "invalid host name",
            "no mx record", "no mail exchanger", "no mail server", "bad destination host",
            "could not find a gateway", "couldn't find any host", "couldn't find host",
            "domain has no", "no dns", "unable to resolve", "could not resolve", "dns failure",
            "domain invalid", "non-existent domain", "nonexistent domain", "not a valid domain",
            "domínio não", "dominio non", "domäne nicht", "ドメインが見つかりません", "域名不存在",
        ),
    ),
    (
        Reason.INACTIVE,
        (
            "account has been disabled", "account is disabled", "account disabled",
            "disabled or discontinued", "account is suspended", "account suspended", "suspended",
            "mailbox disabled", "mailbox is disabled", "mailbox currently disabled", "user disabled",
            "account has been locked", "account is locked", "account is inactive",
            "account inactive", "inactive user", "user is inactive", "mailbox is inactive",
            "mailbox is frozen", "account that you tried to reach is disabled",
            "address is inactive", "temporarily disabled", "account has been deactivated",
            "deactivated", "account expired", "mailbox locked", "mailbox is locked",
            "account is blocked", "recipient is blocked", "user is blocked",
            "not accepting messages", "not accepting mail", "extended inactivity",
            "account closed", "account has been closed", "blocked the message", "restricted",
            "5.2.1 the email account", "no longer accepting",
        ),
    ),
    (
        Reason.NO_SUCH_ADDRESS,
        (
            "user unknown", "unknown user", "unknown recipient", "recipient unknown", "no such user",
            "no such recipient", "no such mailbox", "no such account", "no such address",
            "no such person", "no such local user", "no such email", "no such name",
            "user not found", "user does not exist", "user doesn't exist", "user not exist",
            "user not known", "user is unknown", "user not listed", "not listed in", "unknown local",
            "recipient not found", "recipient does not exist", "recipient doesn't exist",
            "recipient not known", "recipient rejected", "recipient not exist",
            "recipient is not exist", "recipient no longer", "no longer exists", "no longer valid",
            "no longer active", "no longer available", "no longer in use", "no longer employed",
            "no longer with", "no longer has an account", "recipient is unknown", "recipient name is not",
            "name is not recognized", "not recognized", "not our customer", "not a valid mailbox",
            "not a valid user", "not a valid recipient", "not a valid address", "not a known user",
            "not a mailbox", "is not known", "is not a valid", "isn't a valid", "is unknown",
            "does not exist", "doesn't exist", "not exist", "does not have an account",
            "doesn't have an account", "doesn't have a ", "does not have a ", "don't have an account",
            "invalid recipient", "invalid user", "invalid mailbox", "invalid address",
            "invalid email", "invalid final delivery", "invalid local", "bad destination mailbox",
            "bad recipient", "bad address", "bad mailbox", "mailbox unavailable",
            "mailbox not available", "mailbox is unavailable", "mailbox not found",
            "mailbox does not", "mailbox unknown", "unknown mailbox", "mailbox invalid",
            "mailbox name not", "no mailbox", "no account", "no user", "no valid recipients",
            "none of the recipients", "no recipients", "address unknown", "unknown address",
            "address not found", "address does not", "address invalid", "address is invalid",
            "address is not valid", "wasn't found", "was not found", "could not be found",
            "couldn't be found", "not found", "cannot find", "can't find", "unable to find",
            "unknown email", "unknown account", "unknown or illegal alias", "illegal alias",
            "illegal user", "illegal address", "inactive email address", "inactive mailbox",
            "inactive address", "email address could", "undeliverable address", "undeliverable "
            "address", "account not found", "account unavailable", "account not exist", "account does",
            "dosn't exist", "addressee unknown", "non-existent", "nonexistent", "not a local",
            "has no mailbox", "not our local", "misconfigured forwarding", "lookup failed",
            "delivery to this address", "name is unknown", "verification failed", "user reject",
            "not hosted", "user address", "local recipient table", "virtual mailbox table",
            "relay recipient table", "virtual alias table", "recipient address rejected",
            "destination address rejected", "rcpt unknown", "bad user", "not allowed recipient",
            "5.1.1", "5.1.10", "5.1.3", "5.1.6", "e-mail users", "542 ", "bad-mailbox",
            "adresse inconnue", "destinataire inconnu", "utilisateur inconnu", "introuvable",
            "n'existe pas", "unbekannter empfänger", "empfänger unbekannt", "existiert nicht",
            "nicht gefunden", "unbekannt", "no existe", "no encontrad", "usuario desconocido",
            "destinatario desconocido", "non esiste", "inesistente", "utente sconosciuto",
            "sconosciut", "não existe", "não encontrad", "inexistente", "inválido",
            "desconhecido", "onbekend", "bestaat niet", "finns inte", "ikke fundet", "nie istnieje",
            "не существует", "не найден", "неизвестный", "недействител", "несуществующ",
            "见つかりません", "見つかりません", "存在しません", "宛先不明", "不存在", "找不到", "無此",
            "查無此", "无此用户", "존재하지",
        ),
    ),
    (
        Reason.RELAY_DENIED,
        (
            "relay", "unable to route", "not permitted to relay", "rejecting for sender",
            "isn't in my control locals", "isn't in my list of allowed", "not in my list of",
            "we do not relay", "administrative prohibition", "authentication required",
            "authentication is required", "must authenticate", "not local",
        ),
    ),
    (
        Reason.POLICY,
        (
            "policy", "prohibited", "not permitted", "not allowed", "not authorized", "unauthorized",
            "refused", "rejected", "transaction failed", "security", "tls", "encryption",
            "certificate", "greylist", "graylist", "preferences of the person", "restriction",
            "confidential", "denied", "tenant", "compliance",
        ),
    ),
    (
        Reason.EXPIRED,
        (
            "delivery time expired", "message expired", "expired", "retry timeout exceeded",
            "retry time not reached", "timed out", "time out", "timeout", "has been delayed",
            "could not be delivered for", "been in the queue too long", "queue too long",
            "delivery attempts", "too long", "giving up", "delivery failed 10 attempts", "aborted after",
            "not been delivered", "maximum delivery attempts", "4.4.7", "5.4.7", "undeliverable for",
        ),
    ),
    (
        Reason.NETWORK,
        (
            "connection refused", "connection timed", "connection failed", "connection lost",
            "connection dropped", "connection reset", "connect to", "could not connect",
            "couldn't connect", "unable to connect", "cannot connect", "failed to connect",
            "socket error", "network is unreachable", "network unreachable", "host is unreachable",
            "host unreachable", "no answer", "did not respond", "not responding",
            "establish an smtp connection", "lost connection", "requests to connect", "dns server",
            "name server", "name service", "temporary dns", "servfail", "mail exchanger failed",
            "server did not accept", "try again later", "bad connection",
        ),
    ),
    (
        Reason.SYSTEM,
        (
            "service unavailable", "service currently unavailable", "system error", "internal error",
            "server error", "local error", "local configuration error", "configuration error",
            "requested action aborted", "out of memory", "disk full", "cannot open", "can't open",
            "can't create", "cannot create", "unable to open", "unable to deliver", "mailer error",
            "command died", "command output", "command failed", "unknown mailer", "pipe", "procmail",
            "delivery error", "temporarily unavailable", "temporary failure", "temporary problem",
            "system storage", "system resources", "not available", "unexpected", "i/o error",
            "closing connection", "program", "lock", "permission", "local delivery",
        ),
    ),
    (
        Reason.PROTOCOL,
        (
            "syntax error", "malformed", "unrecognized command", "bad sequence", "protocol error",
            "command not", "not implemented", "unknown command", "parameters", "illegal",
        ),
    ),
)

# When words say nothing: subject and detail of the status code (RFC 3463, and the IANA registry
# of enumerated status codes), the most specific first.
_BY_STATUS: tuple[tuple[str, Reason], ...] = (
    ("1.2", Reason.NO_SUCH_HOST),
    ("1.6", Reason.MOVED),
    ("1.7", Reason.SENDER_REJECTED),
    ("1.8", Reason.SENDER_REJECTED),
    ("1.9", Reason.POLICY),
    ("1.10", Reason.NOT_ACCEPTING),
    ("1.", Reason.NO_SUCH_ADDRESS),
    ("2.1", Reason.INACTIVE),
    ("2.2", Reason.MAILBOX_FULL),
    ("2.3", Reason.TOO_LARGE),
    ("2.", Reason.INACTIVE),
    ("3.2", Reason.NOT_ACCEPTING),
    ("3.4", Reason.TOO_LARGE),
    ("3.", Reason.SYSTEM),
    ("4.1", Reason.NETWORK),
    ("4.4", Reason.NO_SUCH_HOST),
    ("4.6", Reason.LOOP),
    ("4.7", Reason.EXPIRED),
    ("4.", Reason.NETWORK),
    ("5.", Reason.PROTOCOL),
    ("6.", Reason.CONTENT),
    ("7.", Reason.POLICY),
)
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
# A reply code stands at the start, or after what introduces a server's words.
_REPLY = re.compile(r"(?<![\w.])[245]\d\d(?=[\s\-#>:;,.)\]'\"]|$)")
_BEFORE_REPLY = re.compile(r"(?:^|\n|[:;(\[<>'\"#=-]|said|code|error|smtp|returned|reason)[\s#(\[<'\"]{0,5}$", re.IGNORECASE)
_STILL_TRYING = re.compile(
    r"will (?:be )?(?:retr|continue|keep|try|attempt)|delivery attempts will continue|still (?:being "
    r"retried|trying|in the queue)|not yet (?:been|received|be)|(?:has been|was|is|been) "
    r"(?:postponed|delayed)|only a (?:warning|notification about a delay)|warning message only|"
    r"(?:need|required?) (?:not )?to resend|no need to re-?send|delayed mail|keep trying|"
    r"temporary failure report|wird weiter versucht|noch nicht zugestellt|sera retent|"
    r"n'a pas encore été|se seguir[áa] intentando|продолжит",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(
    r"will not (?:be )?(?:retr|continue|try)|not be retried|gave up|giv(?:en|ing) up|permanent|"
    r"no further (?:attempts|delivery)|message will be deleted|could not be delivered for|"
    r"abandon|aborted|will not try",
    re.IGNORECASE,
)


def squeeze(text: str) -> str:
    """Lower case, single spaces, cut: what phrases are sought in."""
    return " ".join(text[: 2 * LONGEST_DIAGNOSTIC].split())[:LONGEST_DIAGNOSTIC].lower()


def reason_of(diagnostic: str, status: str = "") -> Reason:
    """Why a message was refused, by the server's words first, then by its status code.

    An exact code outranks words that servers print beside any code: 5.2.2 is a full mailbox
    whatever is said (RFC 3463 §3.3).
    """
    if status[2:] == "2.2":
        return Reason.MAILBOX_FULL
    text = squeeze(diagnostic)
    for reason, phrases in _PHRASES:
        for phrase in phrases:
            if phrase in text:
                return reason
    return _reason_of_status(status)


def _reason_of_status(status: str) -> Reason:
    detail = status[2:]
    for code, reason in _BY_STATUS:
        if detail == code or (code.endswith(".") and detail.startswith(code)):
            return reason if detail not in {"1.0", "2.0", "3.0", "5.0", "7.0"} else _VAGUE[detail]
    return Reason.UNDEFINED


_VAGUE = {
    "1.0": Reason.NO_SUCH_ADDRESS,
    "2.0": Reason.UNDEFINED,
    "3.0": Reason.SYSTEM,
    "5.0": Reason.UNDEFINED,
    "7.0": Reason.POLICY,
}


def status_in(text: str) -> str:
    """The most telling enhanced status code in ``text``: the first with a detail, else any."""
    vague = ""
    for found in _STATUS.finditer(text[: 2 * LONGEST_DIAGNOSTIC]):
        if found[2] != "0" or found[3] != "0":
            return found[0]
        vague = vague or found[0]
    return vague


def reply_in(text: str) -> str:
    """The SMTP reply code (RFC 5321 §4.2) in ``text``; refusals win over other replies."""
    text = text[: 2 * LONGEST_DIAGNOSTIC]
    codes = [
        found[0]
        for found in _REPLY.finditer(text)
        if _BEFORE_REPLY.search(text, max(0, found.start() - 16), found.start())
    ]
    return next((code for code in codes if code[0] in "45"), codes[0] if codes else "")


def is_still_trying(text: str) -> bool:
    """Whether a letter only warns of a delay."""
    return bool(_STILL_TRYING.search(text)) and not _GAVE_UP.search(text)


def permanence_of(status: str, reply: str) -> Permanence:
    """By the status code's first digit, else the reply's; a mail that gave up says permanent."""
    digit = status[:1] or reply[:1]
    if status[2:] == "0.0" and status[:1] == "5" and reply[:1] == "4":
        # "5.0.0" is what gateways write when they know nothing; the server's own reply does.
        digit = "4"
    return Permanence.TRANSIENT if digit == "4" else Permanence.PERMANENT
