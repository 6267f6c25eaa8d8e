package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certificate writes a certificate and its key, for the given host names and for
// 127.0.0.1, into dir. A new CA signs the certificate. It returns the paths of the
// three files. The certificate is valid for a day.
func Certificate(dir string, hosts ...string) (cert, key, ca string, err error) {
	caKey, caKeyErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	leafKey, leafKeyErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(caKeyErr, leafKeyErr); err != nil {
		return "", "", "", fmt.Errorf("making a certificate: %w", err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Data Sink test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hosts[0]},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, DNSNames: hosts, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		// The nodes of a cluster are also clients of each other.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	caDER, caErr := x509.CreateCertificate(rand.Reader, authority, authority, &caKey.PublicKey, caKey)
	leafDER, leafErr := x509.CreateCertificate(rand.Reader, leaf, authority, &leafKey.PublicKey, caKey)
	keyDER, keyErr := x509.MarshalPKCS8PrivateKey(leafKey)
	cert, key, ca = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	err = errors.Join(
		caErr, leafErr, keyErr,
		writePEM(cert, "CERTIFICATE", leafDER), writePEM(key, "PRIVATE KEY", keyDER), writePEM(ca, "CERTIFICATE", caDER),
	)
	if err != nil {
		return "", "", "", fmt.Errorf("making a certificate: %w", err)
	}
	return cert, key, ca, nil
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
