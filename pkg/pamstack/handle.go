package pamstack

// Handle is what libpam keeps of one transaction between its calls: the model
// of a pam_handle_t, to be called as the application calls the real one.
type Handle struct{ transaction transaction }

// Open returns a new handle, whose modules return what codes says. The error is
// Stack.Err.
func (s *Stack) Open(codes Codes) (*Handle, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	return &Handle{transaction{stack: s, codes: codes, cached: map[*Handler]Code{}}}, nil
}

// Call makes one call. See Stack.Predict.
func (h *Handle) Call(c Call) Outcome { return h.transaction.call(c) }
