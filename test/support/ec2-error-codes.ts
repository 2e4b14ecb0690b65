/**
 * The error codes of EC2 that the local cloud uses, each from AWS's table of them:
 * https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html, "Error codes for the Amazon EC2 API".
 */
export const documentedCodes: ReadonlySet<string> = new Set([
  // Common client errors.
  "AuthFailure",
  "DryRunOperation",
  "IdempotentParameterMismatch",
  "InvalidAction",
  "InvalidParameterCombination",
  "InvalidParameterDependency",
  "InvalidParameterValue",
  "InvalidQueryParameter",
  "MissingAction",
  "MissingParameter",
  "UnauthorizedOperation",
  "UnknownParameter",
  "UnsupportedOperation",
  // Client errors of certain actions.
  "CannotDelete",
  "DependencyViolation",
  "IdempotentInstanceTerminated",
  "IncorrectInstanceState",
  "IncorrectState",
  "InstanceLimitExceeded",
  "InsufficientFreeAddressesInSubnet",
  "InvalidAMIID.Malformed",
  "InvalidAMIID.NotFound",
  "InvalidAMIID.Unavailable",
  "InvalidAMIName.Duplicate",
  "InvalidAMIName.Malformed",
  "InvalidBlockDeviceMapping",
  "InvalidGroup.Duplicate",
  "InvalidGroup.NotFound",
  "InvalidGroup.Reserved",
  "InvalidGroupId.Malformed",
  "InvalidIamInstanceProfileArn.Malformed",
  "InvalidID",
  "InvalidInstanceAttributeValue",
  "InvalidInstanceID.Malformed",
  "InvalidInstanceID.NotFound",
  "InvalidInstanceType",
  "InvalidKey.Format",
  "InvalidKeyPair.Duplicate",
  "InvalidKeyPair.Format",
  "InvalidKeyPair.NotFound",
  "InvalidPermission.Duplicate",
  "InvalidPermission.NotFound",
  "InvalidSnapshot.InUse",
  "InvalidSnapshot.NotFound",
  "InvalidSnapshotID.Malformed",
  "InvalidSubnetID.Malformed",
  "InvalidSubnetID.NotFound",
  "InvalidVolume.NotFound",
  "InvalidVolumeID.Malformed",
  "InvalidVpcID.Malformed",
  "InvalidVpcID.NotFound",
  "MaxSpotInstanceCountExceeded",
  "RulesPerSecurityGroupLimitExceeded",
  "TagLimitExceeded",
  "UnfulfillableCapacity",
  "Unsupported",
  // Server errors.
  "InsufficientInstanceCapacity",
  "InternalError",
  "InternalFailure",
  "RequestLimitExceeded",
  "ServiceUnavailable",
  "Unavailable",
]);

/**
 * What every service that speaks JSON may answer beside the errors of its own model:
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html
 */
export const commonJsonCodes: ReadonlySet<string> = new Set([
  "AccessDeniedException",
  "SerializationException",
  "ThrottlingException",
  "UnknownOperationException",
  "ValidationException",
]);

/** The same for STS: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html */
export const commonQueryCodes: ReadonlySet<string> = new Set([
  "AccessDenied",
  "InternalFailure",
  "InvalidAction",
  "InvalidParameterValue",
  "MissingAction",
  "Throttling",
  "ValidationError",
]);
