"""What becomes of entries: the grace period, withdrawn posts, stories told twice, feeds in trouble"""

from alembic import op
import sqlalchemy as sa


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


# Columns are only added: SQLite can do that in place. A table that is made anew would be dropped on the way, and what
# refers to its rows with it.
def upgrade() -> None:
    with op.batch_alter_table('mailing_lists', schema=None) as batch_op:
        batch_op.add_column(sa.Column('grace_minutes', sa.Integer(), nullable=False, server_default='10'))
    with op.batch_alter_table('feeds', schema=None) as batch_op:
        batch_op.add_column(sa.Column('body_digest', sa.String(length=64), nullable=False, server_default=''))
        batch_op.add_column(sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('told_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('leaves_out', sa.JSON(), nullable=False, server_default='[]'))
        batch_op.add_column(sa.Column('page_pictures', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('entries', schema=None) as batch_op:
        batch_op.add_column(sa.Column('matures_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column('by_hand', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column('shown_in_id', sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('entries', schema=None) as batch_op:
        for name in ('shown_in_id', 'by_hand', 'withdrawn_at', 'matures_at'):
            batch_op.drop_column(name)
    with op.batch_alter_table('feeds', schema=None) as batch_op:
        for name in ('page_pictures', 'leaves_out', 'told_at', 'failing_since', 'body_digest'):
            batch_op.drop_column(name)
    with op.batch_alter_table('mailing_lists', schema=None) as batch_op:
        batch_op.drop_column('grace_minutes')
