// Prints the identity that the AWS SDK for Go has by its default chain, with the profile and the endpoint in its
// environment. The argument is the number of clients that ask at once.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	count, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	type answer struct {
		arn string
		err error
	}
	answers := make(chan answer)
	for range count {
		go func() {
			arn, err := identity(context.Background())
			answers <- answer{arn, err}
		}()
	}
	code := 0
	for range count {
		if answer := <-answers; answer.err != nil {
			fmt.Fprintln(os.Stderr, answer.err)
			code = 1
		} else {
			fmt.Println(answer.arn)
		}
	}
	os.Exit(code)
}

// Each call has its own configuration, because a shared one would share the credentials.
func identity(ctx context.Context) (string, error) {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	answer, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return *answer.Arn, nil
}
