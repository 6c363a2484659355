package ipc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/pamhelper/pamhelper/proto"
)

// Version is the protocol version this package speaks.
const Version = 1

// Names of abilities that both sides have to declare.
const (
	FeatureBinaryPrompt = "binary_prompt" // to carry PAM_BINARY_PROMPT
	FeatureProcesses    = "processes"     // to start processes of the user
	FeatureTrace        = "trace"         // to see what each module did
)

// MaxQueued is how many steps a worker lets wait behind the one that runs.
const MaxQueued = 16

// Options are a client's own settings.
type Options struct {
	// Conversation shows messages and answers prompts. Nil: messages are
	// dropped and prompts cancelled.
	Conversation Conversation
	// Deadlines shorter than the worker's own. 0: the worker's.
	LoginTimeout, PromptTimeout, CloseTimeout time.Duration
	// Trace asks for Result.Traces, which only a worker gives that its own starter
	// debugs with.
	Trace bool
}

// Login is who logs in, through which PAM service, from where. It cannot be
// changed once Begin has sent it.
type Login struct {
	Service string
	User    string
	Rhost   string // a numeric address
	Ruser   string // refused unless the helper's policy names it
	// Variables go into the PAM environment before the first module runs. The
	// helper's policy says which names it admits.
	Variables []Variable
	// ID is what the caller's log calls this login, for the helper's log: at most 64
	// of A-Z, a-z, 0-9, ".", "_" and "-".
	ID string
}

// Client drives one login through one worker. Its methods may be called from
// any goroutine: steps wait for each other, and processes of the user are waited
// for and signalled beside them. Close may be called at any time.
//
// A context that ends while a prompt waits cancels that prompt, and the step
// ends with its Result. One that ends while a module runs, or that had ended when
// a step was asked for, closes the connection: the worker undoes the login by
// itself.
type Client struct {
	conn      *Conn
	options   Options
	limits    *pb.Limits
	libpam    string
	binary    bool
	processes bool

	turn   chan struct{}   // holds one token while a step runs
	events chan event      // from the receiver to the step that runs
	alive  context.Context // ends when the receiver has ended
	closed chan struct{}   // closed by Close
	once   sync.Once
	cause  error // why the conversation of the running step was cancelled

	mu      sync.Mutex
	last    Result
	env     []Variable
	ended   bool
	failed  error // what ended the login before End did
	started map[uint32]*Process
}

// Dial gets a worker from the launcher and greets it.
func Dial(ctx context.Context, launcher Launcher, options Options) (*Client, error) {
	stream, err := launcher.Launch(ctx)
	if err != nil {
		return nil, err
	}
	client, err := NewClient(ctx, stream, options)
	if err != nil {
		stream.Close()
		return nil, err
	}
	return client, nil
}

// DialLogin is Dial and Login at once: a login without prompts costs one round trip,
// the greeting included. On an error without a client there is no worker; one of the
// login comes with the client, as Login returns it.
func DialLogin(ctx context.Context, launcher Launcher, options Options, login Login, steps ...Step) (*Client, []Result, error) {
	requests, expected, err := asked(beginOf(login, options), steps, MaxQueued)
	if err != nil {
		return nil, nil, err
	}
	stream, err := launcher.Launch(ctx)
	if err != nil {
		return nil, nil, err
	}
	c := newClient(stream, options)
	c.turn <- struct{}{} // the results are for this call
	if err := c.meet(ctx, stream, requests...); err != nil {
		stream.Close()
		return nil, nil, err
	}
	defer c.release()
	results, err := c.results(ctx, expected)
	return c, results, err
}

// NewClient takes over a stream to a worker and greets it. On an error the
// stream is still the caller's.
func NewClient(ctx context.Context, stream net.Conn, options Options) (*Client, error) {
	c := newClient(stream, options)
	if err := c.meet(ctx, stream); err != nil {
		return nil, err
	}
	return c, nil
}

func newClient(stream net.Conn, options Options) *Client {
	return &Client{
		conn: NewConn(stream), options: options, started: map[uint32]*Process{},
		turn: make(chan struct{}, 1), events: make(chan event), closed: make(chan struct{}),
	}
}

// meet greets the worker, and asks for what may come right behind the greeting.
func (c *Client) meet(ctx context.Context, stream net.Conn, requests ...proto.Message) error {
	stop := interruptible(ctx, stream)
	welcome, err := c.greet(requests)
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	c.limits, c.libpam = welcome.GetLimits(), welcome.GetLibpam()
	c.binary = slices.Contains(welcome.GetFeatures(), FeatureBinaryPrompt)
	c.processes = slices.Contains(welcome.GetFeatures(), FeatureProcesses)
	var gone context.CancelFunc
	c.alive, gone = context.WithCancel(context.Background())
	go func() {
		defer gone()
		c.receive()
	}()
	return nil
}

func (c *Client) greet(behind []proto.Message) (*pb.Welcome, error) {
	hello := &pb.Hello{Version: Version, Features: []string{FeatureProcesses}}
	if _, ok := c.options.Conversation.(BinaryConversation); ok {
		hello.Features = append(hello.Features, FeatureBinaryPrompt)
	}
	if c.options.Trace {
		hello.Features = append(hello.Features, FeatureTrace)
	}
	// Where this fails, the worker may have said why before it left.
	writeErr := c.conn.Write(append([]proto.Message{&pb.Request{Body: &pb.Request_Hello{Hello: hello}}}, behind...)...)
	event, files, err := c.conn.ReadEvent()
	Release(files) // a greeting has none
	if err != nil && writeErr != nil {
		return nil, connectionError(writeErr)
	}
	if err != nil {
		return nil, connectionError(err)
	}
	welcome := event.GetWelcome()
	if welcome == nil {
		return nil, endingError(event)
	}
	if welcome.GetVersion() != Version {
		return nil, fmt.Errorf("%w: this agent speaks %d, the helper %d", ErrVersion, Version, welcome.GetVersion())
	}
	return welcome, nil
}

// interruptible makes what waits on the stream return when ctx ends. The
// returned function stops that.
func interruptible(ctx context.Context, stream net.Conn) (stop func()) {
	stream.SetDeadline(time.Time{})
	fired := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(fired)
		stream.SetDeadline(time.Now())
	})
	return func() {
		if !cancel() {
			<-fired
		}
	}
}

// Begin starts the PAM transaction.
func (c *Client) Begin(ctx context.Context, login Login) (Result, error) {
	return c.one(c.Login(ctx, login))
}

// Authenticate proves who the user is. It can be called once.
func (c *Client) Authenticate(ctx context.Context) (Result, error) {
	return c.one(c.Do(ctx, Authenticate))
}

// Account asks whether the user may log in now. NewAuthtokReqd means that
// ChangePassword has to come next. Where the helper's policy has Account first, it
// always succeeds, and Authenticate returns what it said.
func (c *Client) Account(ctx context.Context) (Result, error) { return c.one(c.Do(ctx, Account)) }

// ChangePassword changes an expired password.
func (c *Client) ChangePassword(ctx context.Context) (Result, error) {
	return c.one(c.Do(ctx, ChangePassword))
}

// Credentials sets the user's groups and establishes credentials.
func (c *Client) Credentials(ctx context.Context) (Result, error) {
	return c.one(c.Do(ctx, Credentials))
}

// OpenSession opens the session. It stays open until CloseSession, End or the
// end of the connection.
func (c *Client) OpenSession(ctx context.Context) (Result, error) {
	return c.one(c.Do(ctx, OpenSession))
}

// CloseSession closes the session.
func (c *Client) CloseSession(ctx context.Context) (Result, error) {
	return c.one(c.Do(ctx, CloseSession))
}

// End undoes what is open and ends the login. Only Close may follow.
func (c *Client) End(ctx context.Context) (Result, error) { return c.one(c.Do(ctx, End)) }

// Login sends Begin and the steps after it at once: a login without prompts
// costs one round trip.
func (c *Client) Login(ctx context.Context, login Login, steps ...Step) ([]Result, error) {
	return c.do(ctx, beginOf(login, c.options), steps)
}

func beginOf(login Login, options Options) *pb.Request {
	begin := &pb.Begin{
		Service:         login.Service,
		User:            []byte(login.User),
		Rhost:           login.Rhost,
		Ruser:           []byte(login.Ruser),
		LoginId:         login.ID,
		LoginTimeoutMs:  milliseconds(options.LoginTimeout),
		PromptTimeoutMs: milliseconds(options.PromptTimeout),
		CloseTimeoutMs:  milliseconds(options.CloseTimeout),
	}
	for _, v := range login.Variables {
		begin.Variables = append(begin.Variables, &pb.Variable{Name: []byte(v.Name), Value: []byte(v.Value)})
	}
	return &pb.Request{Body: &pb.Request_Begin{Begin: begin}}
}

// Do asks for steps in order, all at once. It returns a Result for each step
// that has one, and the error of the first that did not succeed. Results
// behind that one are Skipped. At most MaxQueued steps.
func (c *Client) Do(ctx context.Context, steps ...Step) ([]Result, error) {
	return c.do(ctx, nil, steps)
}

// User returns PAM_USER after the last step; empty after End.
func (c *Client) User() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.User
}

// Environment returns the PAM environment after the last step that was run;
// empty after End.
func (c *Client) Environment() []Variable {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.env
}

// Libpam returns the file name of the worker's libpam, with its version.
func (c *Client) Libpam() string { return c.libpam }

// Done is closed when the connection to the worker has ended: by Close, or because
// the worker is gone.
func (c *Client) Done() <-chan struct{} { return c.alive.Done() }

// errLeft: nothing more is heard of a login that was left here.
var errLeft = fmt.Errorf("the login was left: %w", net.ErrClosed)

// Close ends the connection, and waits until the worker has ended where the
// launcher can. The worker undoes what End did not. What waits meanwhile, and what
// comes later, gets an error that is net.ErrClosed.
func (c *Client) Close() error {
	c.once.Do(func() {
		c.end(errLeft) // before the receiver sees it: whoever waits is told this
		close(c.closed)
	})
	err := c.conn.Close()
	<-c.alive.Done()
	return err
}

// asked is what asks for steps, and the steps whose results answer it.
func asked(begin *pb.Request, steps []Step, most int) (requests []proto.Message, expected []Step, err error) {
	if begin != nil {
		requests, expected = append(requests, begin), append(expected, Begin)
	}
	for _, step := range steps {
		request := step.request()
		if request == nil {
			return nil, nil, fmt.Errorf("%s cannot be asked for as a step", step)
		}
		requests, expected = append(requests, request), append(expected, step)
	}
	if len(requests) > most {
		return nil, nil, fmt.Errorf("%d steps at once; the helper takes %d", len(requests), most)
	}
	return requests, expected, nil
}

func (c *Client) do(ctx context.Context, begin *pb.Request, steps []Step) ([]Result, error) {
	requests, expected, err := asked(begin, steps, int(c.limits.GetMaxQueued()))
	if err != nil {
		return nil, err
	}
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.release()
	c.cause = nil
	if err := c.send(ctx, func() error { return c.conn.Write(requests...) }); err != nil {
		return nil, err
	}
	return c.results(ctx, expected)
}

// results takes events until every expected step has its result.
func (c *Client) results(ctx context.Context, expected []Step) (results []Result, first error) {
	patience := newPatience(ctx)
	var traces []Trace
	for len(results) < len(expected) {
		event, err := c.next(patience)
		if err != nil {
			return results, err
		}
		switch body := event.GetBody().(type) {
		case *pb.Event_Message:
			c.message(body.Message)
		case *pb.Event_Prompt:
			if err := c.prompt(ctx, body.Prompt); err != nil && c.conn.Err() == nil {
				return results, c.end(err)
			}
			// A worker that left in the meantime may have said why.
			patience.afterPrompt()
		case *pb.Event_Trace:
			traces = append(traces, newTrace(body.Trace))
		case *pb.Event_Result:
			result, err := newResult(body.Result)
			result.Traces, traces = traces, nil
			if err == nil && result.Step != expected[len(results)] {
				err = &ViolationError{Text: fmt.Sprintf("a result for %s, expected %s", result.Step, expected[len(results)])}
			}
			if err != nil {
				return results, c.end(err)
			}
			results = append(results, result)
			first = c.note(result, first)
		default:
			event.process.abandon()
			return results, c.end(endingError(event.Event))
		}
	}
	return results, first
}

// note keeps what a result tells about the login and returns the first error.
func (c *Client) note(result Result, first error) error {
	c.mu.Lock()
	if !result.Skipped {
		c.last, c.env = result, result.Environment
	}
	if result.Step == End {
		c.ended = true
	}
	c.mu.Unlock()
	err := result.Err()
	var refused *PAMError
	if errors.As(err, &refused) && c.cause != nil {
		refused.Cause, c.cause = c.cause, nil
	}
	if first != nil {
		return first
	}
	return err
}

func (c *Client) one(results []Result, err error) (Result, error) {
	if len(results) == 0 {
		return Result{Code: NoCode}, err
	}
	return results[0], err
}

func milliseconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d+time.Millisecond-1)/time.Millisecond, math.MaxUint32))
}
