package collect

import "fmt"

// maxNesting is how deep objects and arrays of a body may stand in each other. SDKs stay below ten; whoever reads the events later should
// not need a deep stack.
const maxNesting = 64

// checkNesting refuses JSON, or what may be some, that is nested too deeply. It looks at every byte once and calls nothing, so that depth costs
// no memory.
func checkNesting(body []byte) *refusal {
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return invalid("", fmt.Sprintf("the body is nested more than %d deep at byte %d: flatten what is sent", maxNesting, i+1))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
