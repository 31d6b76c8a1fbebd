package ci

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckNeeds(t *testing.T) {
	for _, tc := range []struct {
		name string
		jobs []KeyNeeds
		want []string
	}{
		{"none", nil, nil},
		{"diamond", []KeyNeeds{{"a", nil}, {"b", []string{"a"}}, {"c", []string{"a"}}, {"d", []string{"b", "c"}}}, nil},
		{"forward", []KeyNeeds{{"a", []string{"b"}}, {"b", nil}}, nil},
		{"unknown", []KeyNeeds{{"a", []string{"x", "y"}}}, []string{
			`job "a" needs "x", which is not a job of this workflow`, `job "a" needs "y", which is not a job of this workflow`,
		}},
		{"self", []KeyNeeds{{"a", []string{"a"}}}, []string{`job "a" needs itself`}},
		{"pair", []KeyNeeds{{"a", []string{"b"}}, {"b", []string{"a"}}}, []string{"needs form a cycle: a -> b -> a"}},
		{"behind a tail", []KeyNeeds{{"t", []string{"a"}}, {"a", []string{"b"}}, {"b", []string{"c"}}, {"c", []string{"a"}}}, []string{
			"needs form a cycle: a -> b -> c -> a",
		}},
		{"two cycles", []KeyNeeds{{"a", []string{"b"}}, {"b", []string{"a"}}, {"c", []string{"d"}}, {"d", []string{"c"}}}, []string{
			"needs form a cycle: a -> b -> a", "needs form a cycle: c -> d -> c",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, e := range CheckNeeds(tc.jobs) {
				got = append(got, e.Error())
				require.NotEmpty(t, e.Key)
				require.NotEmpty(t, e.Need)
			}
			require.Equal(t, tc.want, got)
		})
	}
}
