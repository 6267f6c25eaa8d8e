// Package account finds the AWS account that the credentials of the user belong to.
package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// ErrNoRegion is returned if neither the caller nor the AWS configuration sets a Region.
var ErrNoRegion = errors.New("no AWS Region is set: use --region or AWS_REGION")

// Open loads the shared AWS configuration and looks up the account of its credentials.
// profile and region override the configuration unless they are empty. id is the number
// of the account.
func Open(ctx context.Context, profile, region string) (cfg aws.Config, id string, err error) {
	// Networks that allow the Regional endpoints may not know host names with the account's ID.
	cfg, err = config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(profile), config.WithRegion(region),
		config.WithAccountIDEndpointMode(aws.AccountIDEndpointModeDisabled),
		config.WithLogger(logging.Nop{})) // Its warnings would come before the error.
	if err != nil {
		return cfg, "", fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return cfg, "", ErrNoRegion
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return cfg, "", fmt.Errorf("no AWS credentials: set AWS_PROFILE or run aws sso login: %w", err)
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return cfg, "", fmt.Errorf("looking up the AWS account: %w", err)
	}
	return cfg, aws.ToString(identity.Account), nil
}
