package main

// What whole programs do: files, pipes, sockets, waiting by the clock.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// folder makes a folder that is gone when the function returns.
func folder() (string, func()) {
	dir, err := os.MkdirTemp("", "goemu")
	must(err)
	return dir, func() { must(os.RemoveAll(dir)) }
}

//goemu:call written(3)
//go:noinline
func written(n int) (text string, size int64, mode string) {
	dir, done := folder()
	defer done()
	path := filepath.Join(dir, "a")
	must(os.WriteFile(path, []byte("0\n"), 0o640))
	for i := 1; i < n; i++ {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(err)
		fmt.Fprintln(f, i)
		must(f.Close())
	}
	b, err := os.ReadFile(path)
	must(err)
	info, err := os.Stat(path)
	must(err)
	return string(b), info.Size(), info.Mode().String()
}

//goemu:call seeks()
//go:noinline
func seeks() (text string, at int64, cut string) {
	dir, done := folder()
	defer done()
	f, err := os.Create(filepath.Join(dir, "a"))
	must(err)
	defer f.Close()
	fmt.Fprint(f, "0123456789")
	_, err = f.WriteAt([]byte("ab"), 4)
	must(err)
	at, err = f.Seek(-3, io.SeekEnd)
	must(err)
	rest, err := io.ReadAll(f)
	must(err)
	must(f.Truncate(5))
	whole, err := os.ReadFile(f.Name())
	must(err)
	return string(rest), at, string(whole)
}

//goemu:call walked()
//go:noinline
func walked() (found string) {
	dir, done := folder()
	defer done()
	must(os.MkdirAll(filepath.Join(dir, "x/y/z"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "x/f"), nil, 0o600))
	must(os.Symlink("../f", filepath.Join(dir, "x/y/l")))
	must(os.Link(filepath.Join(dir, "x/f"), filepath.Join(dir, "x/g")))
	must(os.Rename(filepath.Join(dir, "x/y"), filepath.Join(dir, "w")))
	must(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		must(err)
		info, err := entry.Info()
		must(err)
		found += strings.TrimPrefix(path, dir) + " " + info.Mode().Type().String() + ";"
		return nil
	}))
	return found
}

//goemu:call failures()
//go:noinline
func failures() (said string) {
	dir, done := folder()
	defer done()
	must(os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "d/f"), nil, 0o600))
	must(os.Symlink("loop", filepath.Join(dir, "loop")))
	say := func(err error) {
		var number syscall.Errno
		if errors.As(err, &number) {
			said += number.Error() + ";"
		}
	}
	_, err := os.Open(filepath.Join(dir, "missing"))
	say(err)
	_, err = os.OpenFile(filepath.Join(dir, "d/f"), os.O_CREATE|os.O_EXCL, 0o600)
	say(err)
	say(os.Remove(filepath.Join(dir, "d")))
	_, err = os.Open(filepath.Join(dir, "d/f/g"))
	say(err)
	_, err = os.Open(filepath.Join(dir, "loop"))
	say(err)
	say(os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "d/e")))
	say(os.Chdir(filepath.Join(dir, "d/f")))
	_, err = os.ReadFile(dir)
	say(err)
	_, err = os.Stat(filepath.Join(dir, strings.Repeat("n", 256)))
	say(err)
	if f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		_, err = f.Write([]byte("x"))
		say(err)
	}
	return said
}

//goemu:call piped(100000)
//go:noinline
func piped(n int) (count int, after string) {
	r, w, err := os.Pipe()
	must(err)
	go func() {
		w.Write(make([]byte, n))
		w.Close()
	}()
	b, err := io.ReadAll(r)
	must(err)
	r.SetReadDeadline(time.Now())
	_, err = r.Read(make([]byte, 1))
	return len(b), err.Error()
}

//goemu:call echoed("tcp", 4)
//goemu:call echoed("unix", 4)
//go:noinline
func echoed(network string, n int) (all string) {
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, done := folder()
		defer done()
		address = filepath.Join(dir, "socket")
	}
	l, err := net.Listen(network, address)
	must(err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	lines := make([]string, n)
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			c, err := net.Dial(network, l.Addr().String())
			must(err)
			defer c.Close()
			fmt.Fprintf(c, "%d%s", i, strings.Repeat("x", i*100_000))
			must(c.(interface{ CloseWrite() error }).CloseWrite())
			b, err := io.ReadAll(c)
			must(err)
			lines[i] = fmt.Sprintf("%c%d", b[0], len(b))
		}(i)
	}
	wg.Wait()
	sort.Strings(lines)
	return strings.Join(lines, " ")
}

//goemu:call connected()
//go:noinline
func connected() (timeout, refused bool, reset string, closed string) {
	l, err := net.Listen("tcp", "localhost:0")
	must(err)
	c, err := net.Dial("tcp", l.Addr().String())
	must(err)
	c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	_, err = c.Read(make([]byte, 1))
	timeout = errors.Is(err, os.ErrDeadlineExceeded)
	c.SetReadDeadline(time.Time{})
	s, err := l.Accept()
	must(err)
	fmt.Fprint(c, "unread")
	s.(*net.TCPConn).SetLinger(0)
	must(s.Close())
	_, err = c.Read(make([]byte, 1))
	var number syscall.Errno
	if errors.As(err, &number) {
		reset = number.Error()
	}
	address := l.Addr().String()
	must(l.Close())
	_, err = l.Accept()
	closed = fmt.Sprint(errors.Is(err, net.ErrClosed))
	_, err = net.Dial("tcp", address)
	return timeout, errors.Is(err, syscall.ECONNREFUSED), reset, closed
}

//goemu:call packets()
//go:noinline
func packets() (text string, n int) {
	a, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(err)
	b, err := net.Dial("udp", a.LocalAddr().String())
	must(err)
	fmt.Fprint(b, "ping")
	buffer := make([]byte, 10)
	n, from, err := a.ReadFrom(buffer)
	must(err)
	_, err = a.WriteTo(append(buffer[:n], '!'), from)
	must(err)
	n, err = b.Read(buffer)
	must(err)
	return string(buffer[:n]), n
}

// interfaces tells what the loopback interface is like.
//
//goemu:call interfaces()
//go:noinline
func interfaces() (flags string, addresses string, index int) {
	lo, err := net.InterfaceByName("lo")
	must(err)
	all, err := lo.Addrs()
	must(err)
	return lo.Flags.String(), fmt.Sprint(all), lo.Index
}

// spliced copies from a connection to another, which Go does by a pipe.
//
//goemu:call spliced(100000)
//go:noinline
func spliced(n int) (copied int64, received int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer l.Close()
	pair := func() (net.Conn, net.Conn) {
		a, err := net.Dial("tcp", l.Addr().String())
		must(err)
		b, err := l.Accept()
		must(err)
		return a, b
	}
	from, in := pair()
	out, to := pair()
	go func() {
		_, err := from.Write(make([]byte, n))
		must(err)
		must(from.Close())
	}()
	done := make(chan int)
	go func() {
		all, err := io.ReadAll(to)
		must(err)
		done <- len(all)
	}()
	copied, err = io.Copy(out, in)
	must(err)
	must(out.Close())
	return copied, <-done
}

// mapped shares memory with a file.
//
//goemu:call mapped()
//go:noinline
func mapped() (seen string, written string, kept string, other string) {
	dir, remove := folder()
	defer remove()
	path := filepath.Join(dir, "mapped")
	must(os.WriteFile(path, []byte(strings.Repeat("-", 9000)), 0o600))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(err)
	memory, err := syscall.Mmap(int(file.Fd()), 4096, 4904, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	must(err)
	_, err = file.WriteAt([]byte("file"), 5000)
	must(err)
	seen = string(memory[902:910])
	copy(memory[4000:], "memory")
	buffer := make([]byte, 8)
	_, err = file.ReadAt(buffer, 8095)
	must(err)
	written = string(buffer)
	memory[0] = '!'
	must(syscall.Munmap(memory))
	all, err := os.ReadFile(path)
	must(err)
	kept = string(all[4090:4100])
	memory, err = syscall.Mmap(int(file.Fd()), 0, 9000, syscall.PROT_READ, syscall.MAP_SHARED)
	must(err)
	must(os.WriteFile(path, []byte("shorter"), 0o600))
	other = string(memory[:10])
	return seen, written, kept, strings.TrimRight(other, "\x00")
}

// named tells the names of Unix sockets: none, one by the kernel, a path that is used again.
//
//goemu:call named()
//go:noinline
func named() (sender string, automatic int, again bool) {
	dir, remove := folder()
	defer remove()
	path := filepath.Join(dir, "socket")
	a, err := net.ListenPacket("unixgram", path)
	must(err)
	b, err := net.Dial("unixgram", path)
	must(err)
	fmt.Fprint(b, "ping")
	_, from, err := a.ReadFrom(make([]byte, 10))
	must(err)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	must(err)
	must(os.Remove(path))
	_, err = net.ListenPacket("unixgram", path)
	return fmt.Sprint(from), len(c.LocalAddr().String()), err == nil
}

//goemu:call busy(300)
//go:noinline
func busy(ms int) bool {
	rounds, start := 0, time.Now()
	for time.Since(start) < time.Duration(ms)*time.Millisecond {
		rounds++
	}
	return rounds > ms
}

// noProgram is refused where no other program can be started, and natively because there is none.
//
//goemu:call noProgram()
//go:noinline
func noProgram() bool { return exec.Command("/nowhere/program").Run() != nil }

func showOwn(v interface{}) string { return "" }
