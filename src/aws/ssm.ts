import { GetParameterCommand, SSMClient, type SSMClientConfig } from "@aws-sdk/client-ssm";

/* What is used of Systems Manager, in a file of its own so that it is loaded by those alone who need it. */

/** Nothing is sent before it is used. */
export function newClient(config: SSMClientConfig): SSMClient {
  return new SSMClient(config);
}

/** As it is; a secure one stays encrypted. */
export function getParameter(name: string): GetParameterCommand {
  return new GetParameterCommand({ Name: name });
}
