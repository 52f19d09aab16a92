package fakes

import (
	"context"
	"net"
)

// Pipes is a listener whose connections are pipes in memory, so that client and server can live in one bubble of virtual time.
type Pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

// NewPipes makes one that listens. In a bubble it has to be made there.
func NewPipes() *Pipes {
	return &Pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept is net.Listener's.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends it, once.
func (p *Pipes) Close() error { close(p.closed); return nil }

// Addr is net.Listener's; nobody can reach it there.
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// Dial is a client's way to it, whatever the address.
func (p *Pipes) Dial(ctx context.Context, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
