"""Phrases that mail systems write when they refuse a message, and their meaning.

One place for foreign vocabulary: phrases, separated by bars, and our word for them. They match
in lower-case text with single spaces, without host names and addresses ("_" is a space at an
end). Reasons are tried from top to bottom, so that what is said about the day, the message or
the sender wins over what is said about the address: "550 5.1.1 user is over quota" must not cost
a reader the subscription.
"""

import re

from newsletter.core.models import Reason
from newsletter.inbound.bounces.fault import NOTHING, Ours, fault_of_ours

LONGEST_DIAGNOSTIC = 1500

_TABLE: tuple[tuple[Reason, str], ...] = (
    (
        # About the address, though they hold words of a later line.
        Reason.NO_SUCH_ADDRESS,
        """resolver.adr. | recipnotfound | recipientnotfound | not found by smtp address lookup
        | 5.4.1 recipient address rejected: access denied | recipient not found in address book
        | 550 unknown user | rcp-p1 | user unknown | unknown user | no such user | user not found
        | recipient not found | mailbox not found | address not found""",
    ),
    (
        Reason.MAILBOX_FULL,
        """mailbox full | mailbox is full | mailbox was full | full mailbox | inbox is full
        | inbox full | mail box full | mail box is full | mailfolder is full | account is full
        | over quota | overquota | over the quota | over his quota | over its quota
        | over their quota | quota exceeded | quota violation | quota has been exceeded
        | quota full | quotaexceeded | out of quota | exceeded quota | exceeds quota
        | exceed quota | exceed the quota | exceeded the quota | exceeded his quota
        | exceeded its quota | exceeded their quota | exceed his quota | quota reached
        | quota limit | disk quota | storage quota | mail quota | mailbox quota
        | exceeded storage | storage allocation | allowed storage | storage space
        | insufficient system storage | insufficient disk space | no space left
        | diskspace quota | reached disk | run out of space | user is over | account is over
        | mailbox size limit | mailbox exceeds | mailbox exceeded | mailbox has exceeded
        | mailbox limit | exceeded the local limit | maximum number of messages
        | exceeding receiving limits | too many messages in | stored too much | no more room
        | no room in mailbox | exceeds allowed size | postfach ist voll | postfach voll
        | mailbox voll | boîte de réception est pleine | boite pleine | boîte pleine
        | lettres pleine | buzón lleno | buzón está lleno | buzon lleno | casella piena
        | posta piena | postal cheia | correio cheia | ящик переполнен | メールボックスが一杯
        | メールボックスがいっぱい | 容量オーバー | 邮箱已满 | 邮箱空间不足""",
    ),
    (
        Reason.RATE_LIMITED,
        """too many recipients this hour | rate limit | ratelimit | rate-limit | throttl
        | too many connections | too many concurrent | frequency limit | too many messages
        | too many mails | too many emails | receiving mail at a rate | sent too many | too fast
        | sending rate | message rate | connection rate | connection limit | daily limit
        | hourly limit | sending limit | exceeded the rate | unusual rate | slow down
        | try again slower | number of connections | concurrent connections
        | number of messages sent | too many unknown recipients | too many invalid recipients
        | too many errors | too much mail""",
    ),
    (
        Reason.AUTHENTICATION,
        """dmarc | spf check | spf fail | spf validat | spf record | failed spf | (spf) | spf:
        | spf hard | spf unauthorized | sender policy framework | dkim | unauthenticated email
        | unauthenticated mail | not authenticated | sender id (pra) | domain alignment""",
    ),
    (
        Reason.SENDER_REJECTED,
        """sender address rejected | sender rejected | sender denied | sender is not allowed
        | sender not allowed | sender verify failed | sender verification
        | sender address verification | sender domain | sender's domain | invalid sender
        | domain of sender | domain of the sender | unroutable sender | bad sender
        | sender unknown | unknown sender | sender blocked | sender is blocked | forged
        | verify sender | originator address | addresses in from: | envelope sender
        | not authorized to send to | not allowed to send to | only accepts messages from
        | only accepts mail from | not permitted to send to | don't have permission
        | do not have permission | restapproval | authrequired | notauthorized
        | delivery not authorized | not a member | members only | 沒有在此群組 | 没有权限""",
    ),
    (
        Reason.SPAM,
        """spam | unsolicited | junk mail | bulk mail | bulk email | content rejected
        | blacklisted url | uribl | surbl | _ube, | _uce_ | score too high | content filter
        | rejected by content | suspicious | classified as | pourriel""",
    ),
    (
        Reason.BLOCKED,
        """blocked using | blocked by | blocked for | blocked due | blocklist | block list
        | blacklist | black list | blackhole | _rbl | dnsbl | reputation | client host
        | network not allowed | ip address is blocked | ip is blocked | ip blocked | banned
        | your ip | source ip | reverse dns | rdns | ptr record | no ptr
        | cannot find your hostname | resolve your address | helo command rejected | helo name
        | invalid helo | bad helo | dynamic ip | dialup | dial-up | dynamically assigned
        | your network | your mail server | sending mta | sending host | access denied
        | access refused | accès refusé | refused to talk | service refuse
        | connection rejected | connections not accepted | (s3140) | (s3150) | [ts03] | [ts04]
        | ad01""",
    ),
    (
        Reason.CONTENT,
        """virus | malware | phish | dangerous attachment | attachment type | executable
        | infected | bare lf | bare <lf> | line too long | illegal character
        | rfc 5322 | rfc5322 | rfc 2822 | rfc 822 | message header""",
    ),
    (
        Reason.TOO_LARGE,
        """too large | too big | message size | size limit exceeded | mail size limit
        | exceeds maximum size | exceeds the maximum | exceeds size | exceeds fixed maximum
        | exceeds the fixed maximum | message length | larger than | size exceeds
        | message exceeds | taille du message | zu groß | demasiado grande""",
    ),
    (
        Reason.LOOP,
        """routing loop | mail loop | maximum hop | too many hops | hop count | loops back
        | forwarding loop | loop detected | loop alert | duplicated message-id""",
    ),
    (
        Reason.MOVED,
        """has moved | address has changed | address changed | has a new address
        | new address is | no longer at this | has left the | has left our""",
    ),
    (
        Reason.NOT_ACCEPTING,
        """null mx | nullmx | does not accept mail | doesn't accept mail | does not receive mail
        | doesn't receive email | does not accept email | not accepting any mail
        | mail receiving disabled | no mail is accepted | no mx found""",
    ),
    (
        Reason.NO_SUCH_HOST,
        """host unknown | unknown host | host not found | no such host | no such domain
        | domain not found | unknown domain | domain unknown | domain does not exist
        | domain doesn't exist | invalid domain | nxdomain | name or service not known
        | name not found | couldn't be found. check for typos | unrouteable mail domain
        | unrouteable domain | unroutable domain | bad destination system | hostname unknown
        | cannot find a valid dns | no mail server | invalid host name | no mx record
        | no mail exchanger | could not find a gateway | couldn't find any host
        | couldn't find host | non-existent domain | nonexistent domain | domínio não
        | dominio non | ドメインが見つかりません | 域名不存在""",
    ),
    (
        Reason.INACTIVE,
        """account has been disabled | account is disabled | account disabled | is suspended
        | disabled or discontinued | account suspended | mailbox disabled | mailbox is disabled
        | mailbox currently disabled | user disabled | account has been locked
        | account is locked | account is inactive | account inactive | inactive user
        | user is inactive | mailbox is inactive | mailbox is frozen | tried to reach is disabled
        | temporarily disabled | deactivated | account expired | mailbox locked
        | mailbox is locked | account is blocked | not accepting messages | not accepting mail
        | extended inactivity | account closed | account has been closed""",
    ),
    (
        Reason.NO_SUCH_ADDRESS,
        """unknown recipient | recipient unknown | no such recipient | no such mailbox
        | no such account | no such address | no such person | no such local | no such email
        | user does not exist | user doesn't exist | not exist | doesn't exist | dosn't exist
        | user not known | user is unknown | recipient is unknown | name is unknown
        | user not listed | not listed in | recipient not known | recipient no longer
        | no longer exists | no longer valid | no longer active | no longer available
        | no longer in use | no longer employed | name is not recognized | not a valid mailbox
        | not a valid user | not a valid recipient | not a known user | not our customer
        | does not have an account | doesn't have an account | doesn't have a
        | don't have an account | invalid recipient | invalid user | invalid mailbox
        | invalid address | invalid email | invalid final delivery | bad destination mailbox
        | bad recipient | bad mailbox | address rejected
        | mailbox unavailable | mailbox not available | mailbox is unavailable | mailbox unknown
        | unknown mailbox | mailbox name not | no mailbox | no account | no user
        | no valid recipients | none of the recipients | address unknown | unknown address
        | address wasn't found | address couldn't be found | e-mail address could not be found
        | recipient's e-mail address was not found | address is invalid | address is not valid
        | unknown email | unknown account | unknown local | illegal alias | illegal user
        | inactive email address | inactive mailbox | inactive address | account not found
        | account unavailable | addressee unknown | non-existent | nonexistent | unknown name
        | has no mailbox | local recipient table | virtual mailbox table | unrouteable address
        | unroutable address | relay recipient table | virtual alias table | e-mail users
        | recipient name is | bad-mailbox | 542_ | adresse inconnue | destinataire inconnu
        | utilisateur inconnu | introuvable | n'existe pas | unbekannter empf | empfänger unbekannt
        | existiert nicht | no existe | usuario desconocido | destinatario desconocido
        | non esiste | inesistente | sconosciut | não existe | não encontrad | inexistente
        | desconhecido | onbekend | bestaat niet | finns inte | nie istnieje | не существует
        | не найден | неизвестный | несуществующ | 見つかりません | 存在しません | 宛先不明
        | empfänger ist unbekannt | adresse ist unbekannt | konnte nicht gefunden werden
        | no se encontr | non è stato trovat | non trovat | такого пользователя | 找不到
        | wasn't found at | unknown to address | brak użytkownika
        | neexistuje | findes ikke | finnes ikke | ei ole olemassa | böyle bir kullanıcı
        | nem létez | δεν υπάρχει | nu există | không tồn tại | tidak ditemukan
        | 可能不存在 | 不存在 | 查无此 | 查無此 | 无此用户 | 존재하지""",
    ),
    (
        Reason.RELAY_DENIED,
        """relay | isn't in my control locals | in my list of allowed | not in my list of
        | administrative prohibition | authentication required | authentication is required""",
    ),
    (
        Reason.POLICY,
        """policy | prohibited | not permitted | not allowed | not authorized | unauthorized
        | transaction failed | encryption | certificate | greylist | graylist | preferences of
        | restriction | restricted | rejected by | tenant""",
    ),
    (
        Reason.EXPIRED,
        """expired | retry timeout exceeded | timed out | time out | timeout | been delayed
        | could not be delivered for | queue too long | delivery attempts | aborted after
        | not yet been delivered | not been delivered | failed 10 attempts""",
    ),
    (
        Reason.NETWORK,
        """connection refused | connection failed | connection lost | connection dropped
        | connection reset | could not connect | couldn't connect | unable to connect
        | cannot connect | failed to connect | socket error | network is unreachable
        | network unreachable | host is unreachable | host unreachable | no answer
        | did not respond | not responding | lost connection | requests to connect
        | name server | name service | servfail | mail exchanger failed | try again later""",
    ),
    (
        Reason.SYSTEM,
        """service unavailable | currently unavailable | system error | internal error
        | server error | local error | configuration error | requested action aborted
        | out of memory | disk full | cannot open | can't open | can't create | cannot create
        | mailer error | command died | command output | command failed | unknown mailer
        | delivery error | temporarily unavailable | temporary failure | temporary problem
        | system resources | i/o error | closing connection | permission denied""",
    ),
    (
        Reason.PROTOCOL,
        """syntax error | malformed | unrecognized command | bad sequence | protocol error
        | not implemented | unknown command""",
    ),
)
_PHRASES = tuple(
    (reason, tuple(phrase.strip().replace("_", " ") for phrase in phrases.split("|")))
    for reason, phrases in _TABLE
)
# Codes that say it exactly, whatever is written beside them: subject and detail (RFC 3463 §3,
# RFC 7372, RFC 7505, and the IANA registry of enumerated status codes).
_CERTAIN = {
    "1.7": Reason.SENDER_REJECTED,
    "1.8": Reason.SENDER_REJECTED,
    "2.2": Reason.MAILBOX_FULL,
    "7.20": Reason.AUTHENTICATION,
    "7.22": Reason.AUTHENTICATION,
    "7.23": Reason.AUTHENTICATION,
    "7.25": Reason.BLOCKED,
    "7.26": Reason.AUTHENTICATION,
    "7.27": Reason.AUTHENTICATION,
    "7.509": Reason.AUTHENTICATION,
    "7.515": Reason.AUTHENTICATION,
}
# What a code means when the words say nothing: whole codes, then subjects. "5.1.0", "5.3.0" or
# "5.5.4" beside unknown words only says that it failed, not whose fault it is.
_BY_CODE = {
    "1.0": Reason.UNDEFINED,
    "1.2": Reason.NO_SUCH_HOST,
    "1.6": Reason.MOVED,
    "1.9": Reason.POLICY,
    "1.10": Reason.NOT_ACCEPTING,
    "2.0": Reason.UNDEFINED,
    "2.3": Reason.TOO_LARGE,
    "3.2": Reason.NOT_ACCEPTING,
    "3.4": Reason.TOO_LARGE,
    "4.4": Reason.NO_SUCH_HOST,
    "4.6": Reason.LOOP,
    "4.7": Reason.EXPIRED,
    "5.0": Reason.UNDEFINED,
}
_BY_SUBJECT = {"1": Reason.NO_SUCH_ADDRESS, "2": Reason.INACTIVE, "7": Reason.POLICY}
# These are retried anyway; report the subject.
_TRANSIENT_BY_SUBJECT = _BY_SUBJECT | {
    "3": Reason.SYSTEM,
    "4": Reason.NETWORK,
    "5": Reason.PROTOCOL,
    "6": Reason.CONTENT,
}
# A host called "antispam" says nothing about why it refused.
_NAMES = re.compile(
    r"(?:https?://|www\.)\S{1,500}|\S{1,100}@[\w.-]{1,255}|[a-z][\w-]{0,62}(?:\.[\w-]{1,63}){2,10}"
)


def reason_of(
    diagnostic: str, status: str = "", *, recipient: str = "", ours: Ours = NOTHING
) -> Reason:
    """Why a message was refused: by an exact status code, whose fault, the words, a vague code.

    With ``recipient`` and ``ours`` what a server quotes of the envelope is told apart.
    """
    code = status[2:]
    certain = _CERTAIN.get(code)
    if certain is not None and certain is not Reason.MAILBOX_FULL:
        return certain
    if (fault := fault_of_ours(diagnostic, recipient=recipient, ours=ours)) is not None:
        return fault
    if certain is not None:
        return certain
    text = " ".join(diagnostic[: 2 * LONGEST_DIAGNOSTIC].split())[:LONGEST_DIAGNOSTIC].lower()
    if "resolver.adr." in text:  # Exchange's name for its lookup, which looks like a host
        return Reason.NO_SUCH_ADDRESS
    text = _NAMES.sub(" ", text)
    for reason, phrases in _PHRASES:
        for phrase in phrases:
            if phrase in text:
                return reason
    by_subject = _BY_SUBJECT if status[:1] == "5" else _TRANSIENT_BY_SUBJECT
    return _BY_CODE.get(code) or by_subject.get(code.partition(".")[0], Reason.UNDEFINED)
