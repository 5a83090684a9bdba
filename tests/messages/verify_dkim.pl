# Verifies a message on standard input with Mail::DKIM, asking the name server on a loopback port:
# prints one line a signature, "result algorithm domain selector".
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS::Resolver;

my $resolver = Net::DNS::Resolver->new(
    nameservers => ['127.0.0.1'], port => $ARGV[0], recurse => 1, retry => 1, udp_timeout => 5);
Mail::DKIM::DNS::resolver($resolver);
my $verifier = Mail::DKIM::Verifier->new();
while (my $line = <STDIN>) { $verifier->PRINT($line); }
$verifier->CLOSE;
for my $signature ($verifier->signatures) {
    print join(' ', $signature->result, $signature->algorithm, $signature->domain,
        $signature->selector), "\n";
}
