#!/usr/bin/env bash
# Makes ../pki: the keys and certificates of the cases, by the openssl CLI. Keys and signatures are random, so what it made
# once is kept; run it again only to add something, and it leaves alone what is there. The keys are worth nothing.
#
#   testdata/cases/generate/pki.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$here/../pki"
cd "$here/../pki"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = d
[d]
database = $work/index.txt
new_certs_dir = $work
default_md = sha256
policy = any
preserve = yes
unique_subject = no
[any]
commonName = optional
[req]
distinguished_name = dn
string_mask = utf8only
utf8 = yes
[dn]
CNF
: > "$work/index.txt"

# key NAME ALGORITHM [OPTION]
key() {
  [ -e "$1.key" ] || openssl genpkey -quiet -algorithm "$2" ${3:+-pkeyopt "$3"} -out "$1.key" 2>/dev/null ||
    openssl genpkey -algorithm "$2" ${3:+-pkeyopt "$3"} -out "$1.key"
}

# cert NAME KEY ISSUER EXTENSIONS [START END [MD [SUBJECT]]]: ISSUER is CERTIFICATE/KEY, or - for itself.
# Extensions are separated by "; ".
cert() {
  local name=$1 key=$2 issuer=$3 extensions=$4 start=${5:-20200101000000Z} end=${6:-21200101000000Z} md=${7:-sha256}
  local subject=${8:-/C=US/ST=WA/O=Acme/CN=$name} sign
  [ -e "$name.pem" ] && return
  printf '%s\n' "${extensions//; /$'\n'}" > "$work/ext.cnf"
  # The serial number comes from the name, so that CRLs and OCSP answers can speak of it.
  printf '%s' "$name" | sha256sum | cut -c1-16 | sed 's/^[89a-f]/7/' > "$work/serial"
  sed -i "s|^database.*|&|; /^serial/d; s|^\[d\]|[d]\nserial = $work/serial|" "$work/ca.cnf"
  openssl req -new -config "$work/ca.cnf" -key "$key.key" -subj "$subject" ${multi:+-multivalue-rdn} -out "$work/req.csr"
  if [ "$issuer" = - ]; then sign="-selfsign -keyfile $key.key"
  else sign="-cert ${issuer%/*}.pem -keyfile ${issuer#*/}.key"; fi
  openssl ca -batch -notext -config "$work/ca.cnf" $sign -preserveDN -in "$work/req.csr" -extfile "$work/ext.cnf" \
    -startdate "$start" -enddate "$end" -md "$md" -out "$name.pem" 2> "$work/log" || { cat "$work/log" >&2; exit 1; }
}

CA='basicConstraints=critical,CA:TRUE; keyUsage=critical,keyCertSign,cRLSign'
LEAF='keyUsage=critical,digitalSignature'
TSA='keyUsage=critical,digitalSignature; extendedKeyUsage=critical,timeStamping'

key root EC ec_paramgen_curve:P-256
key other EC ec_paramgen_curve:P-256
key inter EC ec_paramgen_curve:P-256
key leaf EC ec_paramgen_curve:P-256
key p384 EC ec_paramgen_curve:P-384
key p521 EC ec_paramgen_curve:P-521
key p224 EC ec_paramgen_curve:secp224r1
key k256 EC ec_paramgen_curve:secp256k1
key rsa2048 RSA rsa_keygen_bits:2048
key rsa3072 RSA rsa_keygen_bits:3072
key rsa4096 RSA rsa_keygen_bits:4096
key rsa1024 RSA rsa_keygen_bits:1024
key rsa2560 RSA rsa_keygen_bits:2560
key pss2048 RSA-PSS rsa_keygen_bits:2048
key ed25519 ED25519

# The ordinary chain.
cert root root - "$CA"
cert inter inter root/root "${CA/CA:TRUE/CA:TRUE,pathlen:0}"
cert leaf leaf inter/inter "$LEAF; basicConstraints=CA:FALSE; extendedKeyUsage=codeSigning"
# Strangers: another key under another name, and another key under the root's name.
cert stranger other - "$CA"
cert impostor other - "$CA" "" "" "" /C=US/ST=WA/O=Acme/CN=root

# 5.01, 5.02, 5.03: keys.
for name in p384 p521 rsa2048 rsa3072 rsa4096 p224 k256 rsa1024 rsa2560 pss2048 ed25519; do
  cert "leaf-$name" "$name" root/root "$LEAF"
done
cert root-ed25519 ed25519 - "$CA" "" "" default
cert leaf-of-ed25519 leaf root-ed25519/ed25519 "$LEAF" "" "" default
cert root-rsa1024 rsa1024 - "$CA"
cert leaf-of-rsa1024 leaf root-rsa1024/rsa1024 "$LEAF"
cert root-rsa2560 rsa2560 - "$CA"
cert leaf-of-rsa2560 leaf root-rsa2560/rsa2560 "$LEAF"

# 5.07: chains of one.
cert alone leaf - "$LEAF"
cert alone-ca leaf - "$CA; extendedKeyUsage=codeSigning"
cert alone-ca-signing leaf - "basicConstraints=critical,CA:TRUE; keyUsage=critical,digitalSignature,keyCertSign"

# 5.08, 5.10: certificate authorities that break a rule, each with a leaf.
with_leaf() { cert "$1" other - "$2"; cert "leaf-of-$1" leaf "$1/other" "$LEAF"; }
with_leaf ca-noncritical 'basicConstraints=CA:TRUE; keyUsage=critical,keyCertSign'
with_leaf ca-absent 'keyUsage=critical,keyCertSign'
with_leaf ca-false 'basicConstraints=critical,CA:FALSE; keyUsage=critical,keyCertSign'
with_leaf ca-ku-noncritical 'basicConstraints=critical,CA:TRUE; keyUsage=keyCertSign'
with_leaf ca-ku-absent 'basicConstraints=critical,CA:TRUE'
with_leaf ca-ku-other 'basicConstraints=critical,CA:TRUE; keyUsage=critical,cRLSign'
# 5.09: path lengths.
with_leaf ca-pathlen0 'basicConstraints=critical,CA:TRUE,pathlen:0; keyUsage=critical,keyCertSign'
cert inter-of-pathlen0 inter ca-pathlen0/other "$CA"
cert leaf-below-pathlen0 leaf inter-of-pathlen0/inter "$LEAF"
with_leaf ca-pathlen1 'basicConstraints=critical,CA:TRUE,pathlen:1; keyUsage=critical,keyCertSign'
cert inter-of-pathlen1 inter ca-pathlen1/other "$CA"
cert leaf-below-pathlen1 leaf inter-of-pathlen1/inter "$LEAF"
cert inter-below-inter leaf inter/inter "$CA"
cert leaf-below-inters p384 inter-below-inter/leaf "$LEAF"
# 5.06: a root in the middle.
cert inter-self inter - "$CA" "" "" "" /C=US/ST=WA/O=Acme/CN=inter

# 5.05: key identifiers that do not fit; 5.09: a certificate authority's new key under its old name; 5.13: a purpose that the
# issuer has.
cert leaf-wrong-aki leaf root/root "$LEAF; 2.5.29.35=DER:30:06:80:04:DE:AD:BE:EF"
cert rollover-of-pathlen0 inter ca-pathlen0/other "$CA" "" "" "" /C=US/ST=WA/O=Acme/CN=ca-pathlen0
cert leaf-of-rollover0 leaf rollover-of-pathlen0/inter "$LEAF"
cert rollover-of-pathlen1 inter ca-pathlen1/other "$CA" "" "" "" /C=US/ST=WA/O=Acme/CN=ca-pathlen1
cert leaf-of-rollover1 leaf rollover-of-pathlen1/inter "$LEAF"
cert inter-for-servers inter root/root "$CA; extendedKeyUsage=serverAuth"
cert leaf-of-inter-for-servers leaf inter-for-servers/inter "$LEAF"

# 5.11 to 5.13: leaves that break a rule, or do not.
leaf() { cert "leaf-$1" leaf root/root "$2"; }
leaf ca "basicConstraints=critical,CA:TRUE; $LEAF"
leaf ca-false "basicConstraints=CA:FALSE; $LEAF"
leaf ku-absent 'basicConstraints=CA:FALSE'
leaf ku-noncritical 'keyUsage=digitalSignature'
leaf ku-no-signature 'keyUsage=critical,nonRepudiation'
leaf ku-non-repudiation 'keyUsage=critical,digitalSignature,nonRepudiation'
for usage in keyEncipherment dataEncipherment keyAgreement keyCertSign cRLSign; do
  leaf "ku-$usage" "keyUsage=critical,digitalSignature,$usage"
done
leaf ku-encipherOnly 'keyUsage=critical,digitalSignature,keyAgreement,encipherOnly'
leaf ku-decipherOnly 'keyUsage=critical,digitalSignature,keyAgreement,decipherOnly'
for usage in codeSigning serverAuth clientAuth emailProtection timeStamping OCSPSigning anyExtendedKeyUsage; do
  leaf "eku-$usage" "$LEAF; extendedKeyUsage=$usage"
done
leaf eku-unknown "$LEAF; extendedKeyUsage=1.3.6.1.4.1.55555.1"
leaf eku-both "$LEAF; extendedKeyUsage=codeSigning,serverAuth"
# 5.15: SHA-1.
cert leaf-sha1 leaf root/root "$LEAF" "" "" sha1
cert alone-sha1 leaf - "$LEAF" "" "" sha1 /C=US/ST=WA/O=Acme/CN=alone-sha1
cert root-sha1 other - "$CA" "" "" sha1
cert leaf-of-root-sha1 leaf root-sha1/other "$LEAF"
# 5.16: extensions that a code-signing chain ignores, and a timestamping chain does not.
UNKNOWN='1.3.6.1.4.1.55555.2=critical,ASN1:UTF8String:x'
leaf unknown-critical "$LEAF; $UNKNOWN"
cert root-constrained other - "$CA; nameConstraints=critical,permitted;DNS:example.com"
cert leaf-of-constrained leaf root-constrained/other "$LEAF"

# 8.17 to 8.25: validity.
cert leaf-expired leaf root/root "$LEAF" 20200101000000Z 20210101000000Z
cert leaf-future leaf root/root "$LEAF" 21000101000000Z 21100101000000Z
cert root-expired other - "$CA" 20200101000000Z 20210101000000Z
cert leaf-of-expired leaf root-expired/other "$LEAF"
# A leaf that outlives its issuer: periods need not nest.
cert inter-short inter root/root "$CA" 20260101000000Z 20270101000000Z
cert leaf-long leaf inter-short/inter "$LEAF" 20250101000000Z 21100101000000Z

# 7.35: subjects.
name() { cert "$1" leaf root/root "$LEAF" "" "" "" "$2"; }
name name-full '/C=US/ST=WA/L=Seattle/street=Main St 1/postalCode=98101/O=Acme/OU=Dev/CN=full/serialNumber=7'
name name-no-st '/C=US/O=Acme/CN=x'
name name-no-c '/ST=WA/O=Acme/CN=x'
name name-no-o '/C=US/ST=WA/CN=x'
name name-two-ou '/C=US/ST=WA/O=Acme/OU=a/OU=b/CN=x'
name name-email '/C=US/ST=WA/O=Acme/CN=x/emailAddress=x@example.com'
name name-dc '/DC=com/DC=example/C=US/ST=WA/O=Acme/CN=x'
name name-uid '/C=US/ST=WA/O=Acme/UID=7/CN=x'
name name-two-cn '/C=US/ST=WA/O=Acme/CN=first/CN=last'
name name-lower '/C=us/ST=wa/O=acme/CN=x'
name name-comma '/C=US/ST=WA/O=Acme, Inc./CN=x'
name name-spaces '/C=US/ST=WA/O= Acme  Ltd /CN=x'
name name-order '/CN=x/O=Acme/ST=WA/C=US'
name name-umlaut '/C=DE/ST=Thüringen/O=Acme/CN=x'
name name-two-l '/C=US/ST=WA/L=a/L=b/O=Acme/CN=x'
multi=1 name name-multi '/C=US/ST=WA/O=Acme+OU=Dev/CN=x'

# 5.14, 5.19, 9.24: timestamp authorities.
tsa() { cert "tsa-$1" "${3:-leaf}" root/root "$2"; }
tsa good "$TSA"
tsa ku-noncritical 'keyUsage=digitalSignature; extendedKeyUsage=critical,timeStamping'
tsa eku-noncritical 'keyUsage=critical,digitalSignature; extendedKeyUsage=timeStamping'
tsa eku-absent 'keyUsage=critical,digitalSignature'
tsa eku-both 'keyUsage=critical,digitalSignature; extendedKeyUsage=critical,timeStamping,codeSigning'
tsa eku-other 'keyUsage=critical,digitalSignature; extendedKeyUsage=critical,codeSigning'
tsa ku-absent 'extendedKeyUsage=critical,timeStamping'
tsa ku-other 'keyUsage=critical,digitalSignature,keyEncipherment; extendedKeyUsage=critical,timeStamping'
tsa ca "basicConstraints=critical,CA:TRUE; $TSA"
tsa rsa2560 "$TSA" rsa2560
tsa rsa3072 "$TSA" rsa3072
tsa p224 "$TSA" p224
cert tsa-of-noncritical leaf ca-noncritical/other "$TSA"
cert tsa-of-ku-noncritical leaf ca-ku-noncritical/other "$TSA"
cert tsa-of-ku-absent leaf ca-ku-absent/other "$TSA"
cert tsa-below-pathlen0 leaf inter-of-pathlen0/inter "$TSA"
cert tsa-sha1 leaf root/root "$TSA" "" "" sha1
