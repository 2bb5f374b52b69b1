// Prints the identity that the JavaScript SDK has by its default chain, with the profile and the endpoint in its
// environment.

import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromNodeProviderChain } from '@aws-sdk/credential-providers';

const client = new STSClient({ credentials: fromNodeProviderChain(), region: 'us-east-1' });
console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
