package local

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/data-sink/data-sink/internal/local/cloud"
	"github.com/data-sink/data-sink/internal/local/gateway"
	"github.com/data-sink/data-sink/internal/local/guard"
	"github.com/data-sink/data-sink/internal/local/wire"
)

// listen opens the addresses.
func (p *Pipeline) listen() error {
	api, err := p.listenAt("HTTP API (--addr)", p.o.Addr)
	if err != nil {
		return err
	}
	p.listener = api.(*net.TCPListener)
	if p.o.PageAddr != "" {
		if p.page, err = p.listenAt("live page (--page-addr)", p.o.PageAddr); err != nil {
			return err
		}
	}
	if p.s3, err = p.listenAWS("S3 API (--s3-addr)", p.o.S3Addr); err != nil {
		return err
	}
	p.aws, err = p.listenAWS("Kinesis API (--aws-addr)", p.o.AWSAddr)
	if err != nil && p.o.AWSAddrOptional {
		taken := err
		if p.aws, err = p.listenAWS("Kinesis API (--aws-addr)", "127.0.0.1:0"); err == nil {
			p.o.Log.Warn("the address of the Kinesis API is not free; using another port", "error", taken, "address", p.aws.Addr().String())
		}
	}
	if err != nil {
		return err
	}
	if p.o.OperatorAddr == "" {
		return nil
	}
	if p.operator, err = p.listenAt("operator's API (--operator-addr)", p.o.OperatorAddr); err != nil {
		return err
	}
	if !isLoopback(p.operator.Addr()) {
		return errors.New("opening the operator's API: its address must be a loopback address")
	}
	return nil
}

// listenAt opens an address until closeAll.
func (p *Pipeline) listenAt(name, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("opening the %s: %w", name, err)
	}
	p.atEnd(l.Close)
	return l, nil
}

// listenAWS opens the address of an AWS API; nil for an empty address. An address
// that is not a loopback address needs an access key.
func (p *Pipeline) listenAWS(name, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := p.listenAt(name, addr)
	if err == nil && !isLoopback(l.Addr()) && (p.o.AccessKey == "" || p.o.SecretKey == "") {
		err = fmt.Errorf("opening the %s: %s is not a loopback address, so an access key and a secret key are needed", name, addr)
	}
	return l, err
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// serveAll starts the servers.
func (p *Pipeline) serveAll() {
	p.apiServer = gateway.NewServer(p.api(p.listener), p.o.Log)
	p.serve(gateway.Bound(p.listener, p.apiServer), p.apiServer)
	if p.page != nil {
		p.serve(p.page, gateway.NewServer(p.api(p.page), p.o.Log))
	}
	if p.s3 != nil {
		p.serveAWS(p.s3, wire.Services{Buckets: []*cloud.Bucket{p.bucket}})
	}
	if p.aws != nil {
		p.serveAWS(p.aws, wire.Services{Kinesis: p.kinesis, ReadKinesis: true})
	}
	if p.operator != nil {
		p.serve(p.operator, gateway.NewServer(guard.ForPrograms(guard.WithToken(p.token, p.operatorAPI())), p.o.Log))
	}
}

// serveAWS serves AWS APIs to programs.
func (p *Pipeline) serveAWS(l net.Listener, s wire.Services) {
	h := wire.New(s)
	if p.o.AccessKey != "" {
		h = wire.Signed(p.o.AccessKey, p.o.SecretKey, h)
	}
	p.serve(l, gateway.NewServer(guard.ForPrograms(h), p.o.Log))
}

func (p *Pipeline) serve(l net.Listener, s *http.Server) {
	p.atEnd(s.Close)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.o.Log.Error("serving ended", "address", l.Addr().String(), "error", err)
		}
	}()
}

// api is the HTTP API of a listener, inside its seam.
func (p *Pipeline) api(l net.Listener) http.Handler {
	if p.o.Seams.API == nil {
		return p.gateway
	}
	return p.o.Seams.API(l.Addr(), p.gateway)
}

// Addr is the address of the HTTP API.
func (p *Pipeline) Addr() net.Addr { return p.listener.Addr() }

// PageAddr is the further address of the live page, or nil.
func (p *Pipeline) PageAddr() net.Addr { return addrOf(p.page) }

// S3Addr is the address of the S3 API, or nil.
func (p *Pipeline) S3Addr() net.Addr { return addrOf(p.s3) }

// AWSAddr is the address of the Kinesis API, or nil.
func (p *Pipeline) AWSAddr() net.Addr { return addrOf(p.aws) }

func addrOf(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}
