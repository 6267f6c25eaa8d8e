package datasink

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/jsii-runtime-go"

	"github.com/data-sink/data-sink/internal/pipeline/settings"
	"github.com/data-sink/data-sink/internal/pipeline/stream"
)

// newLake declares the database of the tables.
func newLake(stack awscdk.Stack, s settings.Settings) awsglue.CfnDatabase {
	return awsglue.NewCfnDatabase(stack, jsii.String("Lake"), &awsglue.CfnDatabaseProps{
		CatalogId: stack.Account(),
		DatabaseInput: &awsglue.CfnDatabase_DatabaseInputProperty{
			Name: jsii.String(stream.DatabaseName(s.Name)), Description: jsii.String("Data Sink: the archive of " + s.Name),
		},
	})
}

// newTable declares the table of a stream. It has no crawler: Athena computes the
// partitions from the properties of the table.
func newTable(nested awscdk.NestedStack, s settings.Settings, each stream.Stream, database, bucket *string) {
	h := each.HiveTable(s.Name, *bucket, s.LakeFrom)
	parameters := map[string]string{"EXTERNAL": "TRUE"}
	for name, value := range h.Parameters {
		parameters[name] = value
	}
	awsglue.NewCfnTable(nested, jsii.String("Table"), &awsglue.CfnTableProps{
		CatalogId: nested.Account(), DatabaseName: database,
		TableInput: &awsglue.CfnTable_TableInputProperty{
			Name: jsii.String(h.Name), Description: jsii.String("Data Sink: one row is one line of the stream " + each.Name),
			TableType:  jsii.String("EXTERNAL_TABLE"),
			Parameters: parameters, PartitionKeys: hiveColumns(h.PartitionKeys),
			StorageDescriptor: &awsglue.CfnTable_StorageDescriptorProperty{
				Location: jsii.String(h.Location), Columns: hiveColumns(h.Columns),
				InputFormat: jsii.String(h.InputFormat), OutputFormat: jsii.String(h.OutputFormat),
				SerdeInfo: &awsglue.CfnTable_SerdeInfoProperty{SerializationLibrary: jsii.String(h.SerDe), Parameters: h.SerDeParameters},
			},
		},
	})
}

func hiveColumns(columns []stream.HiveColumn) []*awsglue.CfnTable_ColumnProperty {
	declared := make([]*awsglue.CfnTable_ColumnProperty, len(columns))
	for i, c := range columns {
		declared[i] = &awsglue.CfnTable_ColumnProperty{Name: jsii.String(c.Name), Type: jsii.String(c.Type)}
	}
	return declared
}
